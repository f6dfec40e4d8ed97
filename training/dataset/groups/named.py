"""Groups that the user names in a CSV file with the columns `path` and `group`."""

import csv
import hashlib
import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from common.text import printable
from training.dataset.layout import Photo
from training.errors import DatasetError

COLUMNS = ("path", "group")
_HEADER = "Its first line must be path,group."


@dataclass(frozen=True)
class NamedGroups:
    """What a file of groups says.

    Attributes:
        name: of the file, without its folder.
        sha256: hash of its content, in hexadecimal digits.
        places: the places of the photos of each group.
    """

    name: str
    sha256: str
    places: dict[str, list[int]]


def read_groups(file: Path, root: Path, photos: Sequence[Photo]) -> NamedGroups:
    """Read which photos belong to which group. Photos that it does not name are on their own.

    Args:
        file: UTF-8, separated by commas, semicolons or tabs; further columns are ignored. Paths are absolute, or
            relative to `root`.
        root: folder of the dataset.
        photos: its photos.

    Raises:
        DatasetError: the file cannot be read, or one of its rows is wrong.
    """
    folders = {folder: os.path.normpath(Path(folder).absolute()) for folder in {photo.folder for photo in photos}}
    places = {f"{folders[photo.folder]}{os.sep}{photo.name}": number for number, photo in enumerate(photos)}
    groups: dict[str, list[int]] = {}
    lines: dict[int, int] = {}
    data = _read(file)
    for line, path, group in _rows(file, data):
        where = f"{file}, line {line}:"
        if not path or not group:
            raise DatasetError(f"{where} a row needs a path and a group. Fill both, or remove the row.")
        place = places.get(os.path.normpath(root.absolute() / path))
        if place is None:
            raise DatasetError(
                f"{where} {printable(path)} is no photo of {root}. Paths are relative to that folder. Correct the path,"
                " or remove the row."
            )
        if place in lines:
            raise DatasetError(f"{where} {printable(path)} stands in line {lines[place]}, too. Remove one of them.")
        lines[place] = line
        groups.setdefault(group, []).append(place)
    if not groups:
        raise DatasetError(f"{file} names no photo. Add rows, or leave out --groups.")
    return NamedGroups(file.name, hashlib.sha256(data).hexdigest(), groups)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise DatasetError(f"The groups {file} cannot be read ({error.strerror}). Pass a CSV file.") from error


def _rows(file: Path, data: bytes) -> Iterator[tuple[int, str, str]]:
    """Yield line, path and group of each row."""
    try:
        text = io.StringIO(data.decode("utf-8-sig"), newline="")
        first = text.readline()
        separator = next((each for each in ";\t" if each in first), ",")
        text.seek(0)
        rows = csv.DictReader(text, delimiter=separator)
        missing = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
        if missing:
            raise DatasetError(f"{file} has no column {' and no column '.join(missing)}. {_HEADER}")
        for row in rows:
            yield rows.line_num, (row["path"] or "").strip(), (row["group"] or "").strip()
    except UnicodeDecodeError as error:
        raise DatasetError(f"{file} is not in UTF-8 ({error.reason}). Save it as UTF-8. {_HEADER}") from error
    except csv.Error as error:
        raise DatasetError(f"{file} is no CSV file ({error}). {_HEADER}") from error
