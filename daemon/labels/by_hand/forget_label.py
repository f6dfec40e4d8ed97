"""Forgets all that was said about a photo, and what was kept to find it again.

The row of its filing stays, for `undo`.
"""

import sqlite3
from typing import NamedTuple

from daemon.ledger.transaction import Transaction

_ROWS = "(SELECT id FROM photos WHERE sha256 = :sha256 AND sha256 <> '' OR id = :photo)"
_ABOUT = f"(sha256 = :sha256 AND sha256 <> '' OR photo IN {_ROWS})"
_HEIR = (
    "UPDATE labelled SET founder = (SELECT sha256 FROM labelled AS other WHERE other.founder = :sha256 AND"
    " other.sha256 <> :sha256 ORDER BY event LIMIT 1) WHERE founder = :sha256 AND sha256 <> :sha256"
)
"""A group whose founder is forgotten is named by its next photo; its side stays."""


class Content(NamedTuple):
    """What is to be forgotten: a content, or a row whose content was never read."""

    sha256: str
    photo: int | None


def said_since(connection: sqlite3.Connection, content: Content) -> float | None:
    """Return when something was said about a photo first, in seconds since 1970; None if nothing was."""
    found = connection.execute(f"SELECT min(at) FROM labels WHERE {_ABOUT}", content._asdict()).fetchone()
    return None if found[0] is None else float(found[0])


def forget(connection: sqlite3.Connection, content: Content) -> int:
    """Remove all events about a photo, its label, its features and its answers in audits; returns how many there were.

    What is removed is overwritten with zeros, in the ledger and in its log.

    Args:
        connection: to the ledger, in autocommit mode.
        content: the photo.
    """
    values = content._asdict()
    connection.execute("PRAGMA secure_delete = ON")
    with Transaction(connection):
        events = connection.execute(f"DELETE FROM labels WHERE {_ABOUT}", values).rowcount
        connection.execute(_HEIR, values)
        connection.execute("DELETE FROM labelled WHERE sha256 = :sha256", values)
        events += connection.execute(f"DELETE FROM audits WHERE {_ABOUT}", values).rowcount
        connection.execute(f"UPDATE places SET said = '' WHERE said <> '' AND photo IN {_ROWS}", values)
    connection.execute("PRAGMA busy_timeout = 1000")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()  # while others read, a later one does it
    return events
