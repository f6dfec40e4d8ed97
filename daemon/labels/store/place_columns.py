"""Files and places as the columns of the ledger hold them."""

import os
from collections.abc import Sequence
from typing import Any

from daemon.labels.listed.listing import File
from daemon.labels.listed.tree import joined, parted

_HALF, _WHOLE = 1 << 63, 1 << 64  # SQLite's integers are signed, inode numbers are not
FILE = "inode, size, mtime_ns, target"
"""The columns of a file, in the order of `File`."""


def file_columns(file: File) -> tuple[int, int, int, bytes]:
    """Return a file as columns."""
    inode = file.inode - _WHOLE if file.inode >= _HALF else file.inode
    return inode, file.size, file.mtime_ns, os.fsencode(file.target)


def file_in(columns: Sequence[Any]) -> File:
    """Return the file of four columns."""
    inode, size, mtime_ns, target = columns
    return File(inode % _WHOLE, size, mtime_ns, os.fsdecode(target))


def place_columns(place: str) -> tuple[bytes, bytes]:
    """Return a place below the output as folder and name."""
    folder, name = parted(place)
    return os.fsencode(folder), os.fsencode(name)


def place_in(folder: bytes, name: bytes) -> str:
    """Return the place of two columns."""
    return joined(os.fsdecode(folder), os.fsdecode(name))
