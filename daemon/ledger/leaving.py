"""Originals that were copied to another file system while a program may still hold them open: removed a minute later.

If the kernel cannot tell (daemon/files/open_writers.py), the original gets a hidden name in its own folder, and the
ledger remembers it. After a minute daemon/filing/departures.py checks it: an unchanged original is removed, and one
that grew returns to the inbox, because its copy is incomplete. If it were removed at once, data written later would be
lost.
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


class LeavingOriginal(NamedTuple):
    """An original that waits under its hidden name.

    Attributes:
        copy_device: device of the copy.
        copy_inode: inode of the copy; 0 if its owner moved the copy at once.
        changed_ns: last change of the original's inode: the rename to its hidden name.
        folder_inode: inode of its folder; None if an earlier version did not store it.
    """

    copy_device: int
    copy_inode: int
    changed_ns: int
    folder_inode: int | None


def hidden_original(source: Path, identity: Identity, known_as: Path | None = None) -> Path:
    """Return the hidden name of an original: unique, and the same after a crash.

    Args:
        source: path of the original; may lead through an open folder (`open_folder`).
        identity: of the file.
        known_as: the source's path in the ledger, if it differs from `source`.
    """
    return source.with_name(hidden_name(os.fsencode(known_as or source), repr(identity), ending=ENDING))


def leaving_original(hidden: Path, copy: Path) -> LeavingOriginal:
    """Return what to remember of an original that got its hidden name; OSError if it cannot be read."""
    copy_device, copy_inode = 0, 0
    with suppress(FileNotFoundError):
        status = copy.lstat()
        copy_device, copy_inode = status.st_dev, status.st_ino
    return LeavingOriginal(copy_device, copy_inode, hidden.lstat().st_ctime_ns, hidden.parent.stat().st_ino)


def leaving_in(row: sqlite3.Row) -> LeavingOriginal:
    """Return the waiting original of a row."""
    folder = row["folder_inode"]
    inode = None if folder is None else int(folder)
    return LeavingOriginal(int(row["copy_device"]), int(row["copy_inode"]), row["changed_ns"], inode)


def remember(connection: sqlite3.Connection, leaving: Mapping[int, LeavingOriginal], now_s: float) -> None:
    """Store waiting originals, by row; the caller commits them together with the outcomes."""
    due_s = now_s + WAIT_S
    rows = [
        (row, due_s, str(one.copy_device), str(one.copy_inode), one.changed_ns, str(one.folder_inode))
        for row, one in leaving.items()
    ]
    if rows:
        connection.executemany("INSERT OR REPLACE INTO leaving VALUES (?, ?, 0, ?, ?, ?, ?)", rows)
