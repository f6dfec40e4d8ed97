"""Folders and files of a dataset: which folders are classes, and which files are photos."""

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
        DatasetError: it cannot be listed.
    """
    try:
        inner = [entry for entry in folder.iterdir() if entry.is_dir()]
    except OSError as error:
        raise DatasetError(f"{folder} cannot be listed ({error.strerror}). Check its permissions.") from error
    return sorted(entry for entry in inner if not entry.name.startswith(".") and entry.name not in _NOT_CLASSES)


def files_below(folder: Path, miss: Callable[[OSError], None]) -> Iterator[Path]:
    """Every visible file below a class folder, in a stable order."""
    for current, folders, names in os.walk(folder, onerror=miss):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in _NOT_CLASSES)
        yield from (Path(current, name) for name in sorted(names) if not name.startswith("."))


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
