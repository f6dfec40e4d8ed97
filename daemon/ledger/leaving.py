"""An original that was copied to another file system, and that its writer may still hold open, does not go at once.

Where the kernel does not tell (daemon/files/open_writers.py), the original gets a hidden name in its own folder, and
the ledger keeps it in mind. After a minute it is looked at again (daemon/filing/departures.py): if it rested it is
removed, and if it grew it comes back, because its copy is a part. Removed at once, it would take with it what is
written later.
"""

import os
import sqlite3
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from daemon.files.identity import Identity
from daemon.files.names import hidden_name

WAIT_S = 60.0
ENDING = ".phototriage-leaving"


class Left(NamedTuple):
    """An original that waits under its hidden name.

    Attributes:
        copy_device: of the file that was filed.
        copy_inode: of the same; 0 if its owner took it further at once.
        changed_ns: when the original's inode was changed last: by getting its hidden name.
        folder_inode: of the folder that it waits in; None where an earlier version did not write it down.
    """

    copy_device: int
    copy_inode: int
    changed_ns: int
    folder_inode: int | None


def hidden_original(source: Path, identity: Identity, known_as: Path | None = None) -> Path:
    """Return the hidden name of an original, which is its alone, and the same after a crash.

    Args:
        source: where it lies; a path through a pinned folder will do.
        identity: of the file.
        known_as: the source's path as the ledger has it, where that is another.
    """
    return source.with_name(hidden_name(os.fsencode(known_as or source), repr(identity), ending=ENDING))


def left_as(hidden: Path, copy: Path) -> Left:
    """Return what to remember of an original that got its hidden name; OSError if it cannot be looked at."""
    copy_device, copy_inode = 0, 0
    with suppress(FileNotFoundError):
        status = copy.lstat()
        copy_device, copy_inode = status.st_dev, status.st_ino
    return Left(copy_device, copy_inode, hidden.lstat().st_ctime_ns, hidden.parent.stat().st_ino)


def left_in(row: sqlite3.Row) -> Left:
    """Return what was remembered, from its row."""
    folder = row["folder_inode"]
    inode = None if folder is None else int(folder)
    return Left(int(row["copy_device"]), int(row["copy_inode"]), row["changed_ns"], inode)


def remember(connection: sqlite3.Connection, left: Mapping[int, Left], now_s: float) -> None:
    """Write down whose originals wait, by row; the caller commits it together with the outcomes."""
    due_s = now_s + WAIT_S
    rows = [
        (row, due_s, str(one.copy_device), str(one.copy_inode), one.changed_ns, str(one.folder_inode))
        for row, one in left.items()
    ]
    if rows:
        connection.executemany("INSERT OR REPLACE INTO leaving VALUES (?, ?, 0, ?, ?, ?, ?)", rows)
