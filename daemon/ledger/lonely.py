"""Companions that wait for their photo and were reported: they are not reported again, also not by the next run."""

import os
import sqlite3
from collections.abc import Sequence

from daemon.ledger.transaction import Transaction
from daemon.photo import Photo

MAX_REPORTED = 200_000
"""How many are remembered, about 100 bytes each; beyond that the oldest are reported again by the next run."""


def newly_lonely(ledger: sqlite3.Connection, parts: Sequence[Photo]) -> list[Photo]:
    """Return the companions that were not reported before, and record that they are; one that was changed is new.

    Raises:
        sqlite3.Error: the ledger cannot be read or written now.
    """
    known = "SELECT 1 FROM lonely WHERE path = ? AND inode = ? AND size = ? AND mtime_ns = ?"
    new = {_facts(part): part for part in parts if ledger.execute(known, _facts(part)).fetchone() is None}
    if new:
        with Transaction(ledger):
            ledger.executemany("INSERT OR REPLACE INTO lonely VALUES (?, ?, ?, ?)", new)
            oldest = "(SELECT max(rowid) FROM lonely) - ?"
            ledger.execute(f"DELETE FROM lonely WHERE rowid <= {oldest}", (MAX_REPORTED,))
    return list(new.values())


def _facts(part: Photo) -> tuple[bytes, str, int, int]:
    _, inode, size, mtime_ns = part.found.identity
    return os.fsencode(part.path), str(inode), size, mtime_ns
