"""Find the labelled photos of a dataset in the usual folder layouts.

These are `DATASET/<class>/`, `DATASET/{train,val,test}/<class>/`, and the doubled `seg_train/seg_train/<class>/` of a
well-known scene set. A class folder may hold subfolders; their photos belong to the class.

The output of `sort` and `watch` is such a dataset, too: its `_review`, `_failed` and `_duplicates`, and an inbox that
lies in it, are no classes, and are left out with a sentence.
"""

import errno
import os
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from common.text import printable
from contract.labels import SPLIT_NAMES, check_labels
from training.dataset.folders import files_below, is_beside_classes, is_photo, is_sorted_by_date, visible_folders
from training.errors import DatasetError

NO_PHOTOS = "holds class folders but no photos. Put at least two photos into each class folder."
HELD_OUT = "held out"
"""Split of a photo that people labelled, and from which no head learns."""
SHOWN = 3  # folders that cannot be listed named one by one


@dataclass(frozen=True, slots=True, init=False)
class Photo:
    """One labelled photo: its path, the index of its class, and its split.

    There may be a million photos, and a Path takes half a kilobyte, so `path` creates it on demand.

    Attributes:
        split: `train`, `val` or `test`; empty if the dataset has no splits yet. HELD_OUT until all are split.
    """

    folder: str
    name: str
    label: int
    split: str

    def __init__(self, path: Path, label: int, split: str = "") -> None:
        folder, name = os.path.split(path)
        self._fill(sys.intern(folder), name, label, split)

    def _fill(self, *values: object) -> None:
        for field, value in zip(self.__slots__, values, strict=True):
            object.__setattr__(self, field, value)

    @property
    def path(self) -> Path:
        """Where the photo is."""
        return Path(self.folder, self.name)

    def on(self, split: str) -> "Photo":
        """The same photo in a split."""
        if split == self.split:
            return self
        return self._like(self.label, split)

    def of(self, label: int) -> "Photo":
        """The same photo with another class."""
        return self if label == self.label else self._like(label, self.split)

    def _like(self, label: int, split: str) -> "Photo":
        other = object.__new__(Photo)  # without __init__, which would store a second copy of the name
        other._fill(self.folder, self.name, label, split)
        return other


@dataclass(frozen=True)
class Dataset:
    """The photos found under `root`.

    Attributes:
        labels: class names, sorted; the outputs of the network have this order.
        photos: sorted by label and path, so that the same folder always gives the same list.
        kind: the layout in words.
        ignored: number of files in class folders that are not photos.
        unlisted: folders inside class folders that cannot be listed, each with the reason.
        beside: folders beside the class folders that are no classes, as phototriage makes them, with their photos.
    """

    root: Path
    labels: tuple[str, ...]
    photos: tuple[Photo, ...]
    kind: str
    ignored: int = 0
    unlisted: tuple[tuple[Path, str], ...] = ()
    beside: tuple[tuple[str, int], ...] = ()

    def of(self, split: str) -> tuple[Photo, ...]:
        """Photos of one split."""
        return tuple(photo for photo in self.photos if photo.split == split)

    def sentence(self) -> str:
        """A summary in one line."""
        counts = [f"{len(self.of(name))} {name}" for name in SPLIT_NAMES if self.of(name)]
        by_split = f" ({', '.join(counts)})" if counts else ""
        others = f"; {self.ignored} other files ignored" if self.ignored else ""
        found = f"Found {len(self.photos)} photos of {len(self.labels)} classes in {self.kind}{by_split}{others}."
        return f"{found}{self.left_out()}"

    def left_out(self) -> str:
        """The folders that are left out: those that are no classes, and some of those that cannot be listed."""
        said = "".join(
            f" {printable(name)} left out: {count} photo{'s' * (count != 1)}." for name, count in self.beside
        )
        if not self.unlisted:
            return said
        named = "; ".join(f"{printable(folder)} ({reason})" for folder, reason in self.unlisted[:SHOWN])
        more = f"; and {len(self.unlisted) - SHOWN} more" if len(self.unlisted) > SHOWN else ""
        return f"{said} Folders that cannot be listed or followed are left out: {named}{more}."


def find_dataset(root: Path, labels: Sequence[str] | None = None) -> Dataset:
    """Find the labelled photos under `root`.

    Args:
        root: folder of the dataset.
        labels: class names of a model. Then other folders are errors, and classes may be missing.

    Raises:
        DatasetError: the folder does not exist, or has no class folders or no photos.
        ContractError: a class name cannot be the name of a folder in the output.
    """
    if not root.is_dir():
        raise DatasetError(f"{root} is not a folder. Pass a folder that holds one folder of photos per class.")
    roots, kind = _split_roots(root)
    names = sorted({folder.name for split in roots.values() for folder in _subfolders(split)})
    if is_sorted_by_date(root, names):
        raise DatasetError(
            f"{root} is an output of phototriage whose first folders are dates ({', '.join(names[:SHOWN])}), not "
            "classes. Sort with a layout that begins with {label}, or pass a folder that holds the class folders."
        )
    if labels is None and len(names) < 2:
        raise DatasetError(_too_few_classes(root, names))
    strangers = sorted(set(names) - set(labels)) if labels is not None else []
    if strangers:
        raise DatasetError(
            f"{root} holds folders that are not classes of the model: {', '.join(strangers)}. Move them elsewhere."
        )
    return _collect(root, roots, kind, check_labels(names if labels is None else labels))


def _collect(root: Path, roots: dict[str, Path], kind: str, labels: tuple[str, ...]) -> Dataset:
    photos: list[Photo] = []
    unlisted: list[OSError] = []
    ignored = 0
    for split, folder in roots.items():
        for index, label in enumerate(labels):
            for path in files_below(folder / label, unlisted.append):
                if is_photo(path):
                    photos.append(Photo(path, index, split))
                else:
                    ignored += 1
    # A class may be missing in a split.
    missed = tuple((Path(error.filename), str(error.strerror)) for error in unlisted if error.errno != errno.ENOENT)
    dataset = Dataset(root, labels, tuple(photos), kind, ignored, missed, _beside(roots.values()))
    if not photos:
        raise DatasetError(f"{root} {NO_PHOTOS}{dataset.left_out()}")
    return dataset


def _beside(roots: Iterable[Path]) -> tuple[tuple[str, int], ...]:
    """Return the folders beside the class folders that are no classes, each with its number of photos."""
    counts: Counter[str] = Counter()
    for root in roots:
        for folder in visible_folders(root):
            if is_beside_classes(folder):
                counts[folder.name] += sum(map(is_photo, files_below(folder, _ignore)))
    return tuple(sorted(counts.items()))


def _ignore(_: OSError) -> None:
    pass


def _too_few_classes(root: Path, names: list[str]) -> str:
    found = f"only one class folder ({names[0]})" if names else "no class folders"
    return f"{root} holds {found}. Create at least two class folders in it, and put the photos into them."


def _split_roots(root: Path) -> tuple[dict[str, Path], str]:
    """Map each split to the folder of its class folders; the split is empty if the dataset has no splits."""
    root = _without_doubling(root)
    by_name = {folder.name.lower(): folder for folder in _subfolders(root)}
    candidates = {
        # a class may also be called `train`, and show railways
        split: [by_name[name] for name in names if name in by_name and _subfolders(by_name[name])]
        for split, names in SPLIT_NAMES.items()
    }
    found = {split: _without_doubling(folders[0]) for split, folders in candidates.items() if folders}
    _check_misspelt(found, by_name)
    if "train" in found or ("test" in found and len(by_name) <= 2):
        for folders in candidates.values():
            if len(folders) > 1:
                names = " and ".join(folder.name for folder in folders)
                raise DatasetError(
                    f"{root} holds {names}, which mean the same split. Put their photos into one of them."
                )
        shown = ", ".join(str(folder.relative_to(root)) for folder in found.values())
        return found, f"the split folders {shown}"
    return {"": root}, "class folders"


def _check_misspelt(found: Mapping[str, Path], by_name: Mapping[str, Path]) -> None:
    """Raise DatasetError if a folder holds the classes of a split folder, but is none, such as `trn` beside `test`."""
    classes = {folder.name for split in found.values() for folder in _subfolders(split)}
    known = {name for names in SPLIT_NAMES.values() for name in names}
    for name, folder in by_name.items():
        if name in known or not classes:
            continue
        with suppress(PermissionError):  # it is named later, as a folder that cannot be listed
            alike = classes & {inner.name for inner in _subfolders(folder)}
            if len(alike) < 2:
                continue
            raise DatasetError(
                f"{folder} holds the same classes as {', '.join(str(each.name) for each in found.values())}"
                f" ({', '.join(sorted(alike)[:SHOWN])}), but its name is that of no split. Call it train, val or test,"
                " or move it elsewhere."
            )


def _without_doubling(folder: Path) -> Path:
    """Return the inner folder of a doubled `seg_train/seg_train`."""
    inner = _subfolders(folder)
    known = {name for names in SPLIT_NAMES.values() for name in names}
    if len(inner) != 1:
        return folder
    doubled = inner[0].name == folder.name or {inner[0].name.lower(), folder.name.lower()} <= known
    return _without_doubling(inner[0]) if doubled else folder


def _subfolders(folder: Path) -> list[Path]:
    return [entry for entry in visible_folders(folder) if not is_beside_classes(entry)]
