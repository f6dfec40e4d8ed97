"""Inbox and output as recorded in the ledger: their paths, mount points, and the ids in their marker files.

Each query opens its own connection, because several threads call this and must not join another thread's transaction.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from daemon.files.mount_points import mount_point


class Root(NamedTuple):
    """An inbox or output as it was adopted: the id in its marker file, its mount point, its path."""

    marker: str
    mount: Path
    path: Path


class LedgerRoots:
    """The tables `roots` and `markers` of a ledger.

    Args:
        ledger: its file, of this version.
    """

    def __init__(self, ledger: Path) -> None:
        self._ledger = ledger

    @property
    def mount(self) -> Path:
        """The mount point of the ledger itself: it is in use, so no other disk can have taken its place."""
        return mount_point(self._ledger.parent)

    def get(self, role: str) -> Root | None:
        """Return the `inbox` or `output` that was adopted last; None if there is none yet."""
        with self._opened() as connection:
            row = connection.execute("SELECT marker, mount, path FROM roots WHERE role = ?", (role,)).fetchone()
        return Root(row[0], *(Path(os.fsdecode(path)) for path in row[1:])) if row else None

    def knows(self, role: str, marker: str) -> bool:
        """Tell whether a folder with this id was ever adopted."""
        with self._opened() as connection:
            asked = "SELECT 1 FROM markers WHERE role = ? AND marker = ?"
            return connection.execute(asked, (role, marker)).fetchone() is not None

    def record(self, role: str, root: Root) -> None:
        """Store a root that was adopted."""
        with self._opened() as connection:
            connection.execute("BEGIN IMMEDIATE")
            values = (role, os.fsencode(root.path), root.marker, os.fsencode(root.mount))
            connection.execute("INSERT OR REPLACE INTO roots VALUES (?, ?, ?, ?)", values)
            connection.execute("INSERT OR IGNORE INTO markers VALUES (?, ?)", (role, root.marker))
            connection.execute("COMMIT")

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._ledger, isolation_level=None)) as connection:
            yield connection
