"""What the daemon leaves alone in the inbox: files that were filed as a copy or link, or taken back."""

import os
import sqlite3
from pathlib import Path

from daemon.photo import Identity
from daemon.same import is_on_share

SAME_TIME_NS = 2_000_000_000
"""File systems of cards and sticks keep times to two seconds: a photo that is taken back there gets another one."""


def is_held(ledger: sqlite3.Connection, path: Path, identity: Identity) -> bool:
    """Tell whether a file of the inbox is to be left alone: filed before as a copy or link, or taken back.

    A file that was filed is known by inode, size and time wherever it lies, and in its place also when its device has
    another number, as after a restart. One that was taken back is known in its place alone, until it is changed or
    renamed. On shares that give files other numbers at each mount, place, size and time must do.
    """
    facts: dict[str, str | bytes | int] = {
        "place": os.fsencode(path), "device": str(identity.device), "inode": str(identity.inode),
        "size": identity.size, "mtime_ns": identity.mtime_ns, "same_time_ns": SAME_TIME_NS,
    }  # fmt: skip
    row = ledger.execute(
        "SELECT 1 FROM photos WHERE held IS NOT NULL AND undoes IS NULL AND inode = :inode AND size = :size"
        " AND mtime_ns = :mtime_ns AND (device = :device OR held = :place)"
        " UNION ALL SELECT 1 FROM photos WHERE held = :place AND undoes IS NOT NULL AND size = :size"
        " AND abs(mtime_ns - :mtime_ns) < :same_time_ns LIMIT 1",
        facts,
    ).fetchone()
    return row is not None or (_in_place(ledger, facts) and is_on_share(path.parent))


def _in_place(ledger: sqlite3.Connection, facts: dict[str, str | bytes | int]) -> bool:
    here = "held = :place AND undoes IS NULL AND size = :size AND mtime_ns = :mtime_ns"
    return ledger.execute(f"SELECT 1 FROM photos WHERE {here} LIMIT 1", facts).fetchone() is not None
