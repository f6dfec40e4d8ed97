"""Folders and files of a dataset: which folders are classes, and which files are photos."""

import errno
import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from contract.formats import SNIFF_BYTES, TAKEN_FOR_PHOTOS, has_photo_name, sniff
from contract.labels import FOLDERS_BESIDE_CLASSES, MARKER
from training.errors import DatasetError

_NOT_CLASSES = frozenset(("__MACOSX", "@eaDir", "lost+found"))
_DATE = re.compile(r"(19|20)\d\d([-_.]?\d\d){0,2}")


def is_beside_classes(folder: Path) -> bool:
    """Whether phototriage made this folder for something else than a class: so it did with an inbox in its output."""
    if folder.name in FOLDERS_BESIDE_CLASSES:
        return True
    return (folder / MARKER).exists() and (folder.parent / MARKER).exists()


def is_sorted_by_date(root: Path, names: Sequence[str]) -> bool:
    """Whether a root is an output of phototriage whose first folders are dates, as with `{date:%Y}/{label}/{name}`."""
    return bool(names) and (root / MARKER).exists() and all(map(_DATE.fullmatch, names))


def visible_folders(folder: Path) -> list[Path]:
    """The visible folders in a folder, sorted.

    Raises:
        DatasetError: it cannot be listed, or one of them is a link that leads in a circle.
    """
    try:
        inner = [entry for entry in folder.iterdir() if entry.is_dir()]
    except OSError as error:
        raise DatasetError(f"{folder} cannot be listed ({error.strerror}). Check its permissions.") from error
    for entry in inner:
        if entry.is_symlink() and folder.resolve().is_relative_to(entry.resolve()):
            raise DatasetError(
                f"{entry} is a link to a folder that holds it, so it cannot be a class. Remove the link."
            )
    return sorted(entry for entry in inner if not entry.name.startswith(".") and entry.name not in _NOT_CLASSES)


def files_below(folder: Path, miss: Callable[[OSError], None]) -> Iterator[Path]:
    """Every visible file below a class folder, in a stable order.

    The folder and files may be links. Links to folders below it are not followed, because they can lead in circles, but
    reported.

    Args:
        miss: called for each folder that is left out, with the reason.
    """
    for current, folders, names in os.walk(folder, onerror=miss):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in _NOT_CLASSES)
        for linked in filter(_is_link, (Path(current, name) for name in folders)):
            miss(OSError(errno.ELOOP, "a link to a folder: copy the photos, or link the class folder", str(linked)))
        yield from (Path(current, name) for name in sorted(names) if not name.startswith("."))


def _is_link(path: Path) -> bool:
    try:
        return path.is_symlink()
    except OSError:  # such as a path that is too long: the walk reports it
        return False


def is_photo(path: Path) -> bool:
    """Whether a file is a photo: by its extension, or by its first bytes if the extension says nothing."""
    if has_photo_name(path):
        return True
    if path.suffix.lower() in TAKEN_FOR_PHOTOS:
        return False
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return sniff(file.read(SNIFF_BYTES)) is not None
    except OSError:
        return False
