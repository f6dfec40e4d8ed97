"""`sources.csv`: whence photos came that were collected from the web, and under which licence each one is.

`collect` writes it beside the photos. Later the photos lie in a class folder: who checks or trains finds the row again
by the photo's SHA-256, wherever the table lies.
"""

import csv
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from common.text import cell

SOURCES = "sources.csv"
COLLECTED = "collected"
"""Folder beside a dataset, in which collections lie by default, and how the names of their photos begin."""
_NAME = re.compile(rf"{COLLECTED}-(?:\d{{4,}}-)?[0-9a-f]{{12}}\.[a-z0-9]+")


class Source(NamedTuple):
    """One photo from the web.

    Attributes:
        sha256: of its bytes, hexadecimal.
        url: from which it was fetched.
        licence: a code of `common.licences`.
        licence_url: its text.
        creator: who made the photo.
        attribution: the line to print beside it.
        title: of the photo.
        page: that shows it.
        found_by: openverse, commons, or the list or command that named it.
    """

    sha256: str
    url: str
    licence: str
    licence_url: str = ""
    creator: str = ""
    attribution: str = ""
    title: str = ""
    page: str = ""
    found_by: str = ""


def read_sources(file: Path) -> Iterator[Source]:
    """Yield the rows of a table; rows that hold no SHA-256 and no licence are left out.

    Raises:
        OSError: it cannot be read.
    """
    with file.open(newline="", encoding="utf-8-sig", errors="replace") as lines:
        for row in csv.DictReader(lines):
            values = {name: uncelled(row.get(name) or "") for name in Source._fields}
            if re.fullmatch("[0-9a-f]{64}", values["sha256"]) and values["licence"]:
                yield Source(**values)


def csv_row(source: Source) -> list[str]:
    """Return a row as the cells of its table, none of which a spreadsheet reads as a formula."""
    return [cell(value) for value in source]


def uncelled(text: str) -> str:
    """Return the text that `common.text.cell` made safe."""
    return text.removeprefix("'")


def find_sources(root: Path, folders: Iterable[Path]) -> list[Path]:
    """Return the tables that tell of a dataset's photos.

    Args:
        root: the dataset.
        folders: those that hold photos. Tables lie in them, in the dataset itself, or where `collect` left them: in a
            folder beside the dataset. For a dataset such as `photos/train` that is the one beside `photos`, too.
    """
    above = root.absolute().parents[:2]
    places = {root, *folders, *(place for folder in above for place in (folder / COLLECTED).glob("*"))}
    return sorted(place / SOURCES for place in places if _is_file(place / SOURCES))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a folder that this user may not look into
        return False


def is_collected(name: str) -> bool:
    """Return whether a file has a name that `collect` gives."""
    return _NAME.fullmatch(name) is not None
