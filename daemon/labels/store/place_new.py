"""Gives the photos that were filed since the last look a place of their own in the ledger."""

import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from daemon.labels.class_folders import ClassFolders
from daemon.labels.listed.listing import File
from daemon.labels.store.place_columns import file_columns, place_columns
from daemon.ledger.schema import TAKEN_BACK
from daemon.ledger.transaction import Transaction
from daemon.photo import Mode

TOGETHER = 5_000
"""Photos of one commit: the daemon files in between."""
_NEW = (
    "SELECT number, photos.id, destination, inode, size, mtime_ns, mode, source FROM unplaced"
    " JOIN photos ON photos.id = unplaced.photo WHERE number > ? AND number <= ?"
    f" AND state IN ('filed', 'review', 'failed', 'duplicate') AND NOT {TAKEN_BACK} ORDER BY number LIMIT {TOGETHER}"
)
_SAID = "coalesce((SELECT said FROM labels WHERE photo = ?1 ORDER BY id DESC LIMIT 1), '')"  # before it was refiled
_INSERT = f"INSERT OR IGNORE INTO places VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, {_SAID}, ?10, 0)"


class New(NamedTuple):
    """What of `unplaced` a look has to do with.

    Attributes:
        young_to: highest number of the photos that were filed before the output was listed.
        fresh: photos that were filed while it was listed.
    """

    young_to: int
    fresh: list[int]


def newest(connection: sqlite3.Connection) -> int:
    """Return the highest number in `unplaced`; 0 if nothing was filed."""
    (number,) = connection.execute("SELECT coalesce(max(number), 0) FROM unplaced").fetchone()
    return int(number)


def place_new(connection: sqlite3.Connection, output: Path, folders: ClassFolders, listed: int) -> New:
    """Give new photos the places at which they were filed; `unplaced` keeps them until the look is done.

    Args:
        connection: to the ledger, in autocommit mode.
        output: root of the class folders.
        folders: tells which class a place names.
        listed: what `newest` returned before the output was listed.
    """
    last, done = newest(connection), 0
    root = os.fsencode(output) + b"/"
    while rows := connection.execute(_NEW, (done, last)).fetchall():
        done = rows[-1][0]
        places = []
        for _, photo, destination, inode, size, mtime_ns, mode, source in rows:
            if not destination.startswith(root):
                continue  # filed into another output
            place = os.fsdecode(destination[len(root) :])
            target = os.fsdecode(source) if mode == Mode.SYMLINK else ""
            file = _file_at(destination, File(int(inode), size, mtime_ns, target))
            name = folders.where(place).name
            places.append((photo, *place_columns(place), *file_columns(file), name, name, size))
        with Transaction(connection):
            connection.executemany(_INSERT, places)
    fresh = connection.execute("SELECT photo FROM unplaced WHERE number > ?", (listed,)).fetchall()
    return New(listed, [photo for (photo,) in fresh])


def _file_at(destination: bytes, filed: File) -> File:
    """Return what lies where a photo was filed: a copy, also that of a move between two disks, has its own inode.

    Without that each such photo would look like one that was replaced, and a look takes 1.5 kB for each of those.
    """
    with suppress(OSError):
        status = os.lstat(destination)  # half the time of a Path, for a million photos
        if not filed.target and (status.st_size, status.st_mtime_ns) == (filed.size, filed.mtime_ns):
            return filed._replace(inode=status.st_ino)
    return filed


def forget_new(connection: sqlite3.Connection, new: New) -> None:
    """Remove from `unplaced` what a look has judged; the caller commits."""
    connection.execute("DELETE FROM unplaced WHERE number <= ?", (new.young_to,))
