"""Queries of the ledger: rows chosen by time, class, state, batch or photo."""

import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.files.identity import Identity, id_of_words
from daemon.ledger import schema
from daemon.ledger.intent import Intent, intent_of
from daemon.photo import Outcome

MOVED = (Outcome.FILED, Outcome.REVIEW, Outcome.FAILED, Outcome.DUPLICATE)
"""States of photos that lie in the output, as far as the ledger knows."""
TAKEN_BACK = (Outcome.UNDONE, Outcome.RETRIED)
_COLUMNS = f"SELECT *, {schema.TAKEN_BACK} AS taken_back FROM photos"


@dataclass(frozen=True, slots=True)
class Record:
    """One row: an intent and its outcome.

    Attributes:
        row: its number; later rows have higher numbers.
        batch: number shared by all rows of one commit.
        state: one of `daemon.photo.STATES`.
        at_s: when, in seconds since 1970.
        intent: the rest of the row.
        taken_back: whether a later row undid it.
    """

    row: int
    batch: int
    state: str
    at_s: float
    intent: Intent
    taken_back: bool


@dataclass(frozen=True, slots=True)
class RecordFilter:
    """Which rows to select; None does not restrict.

    Attributes:
        since_s: earliest time, in seconds since 1970.
        until_s: latest time, in seconds since 1970.
        label: class, as the model named it.
        states: one of these, of `daemon.photo.STATES`.
        review_reason: why it went to review.
        batch: number of the batch.
        held: only photos that the daemon leaves alone in the inbox.
        at_large: only photos in the output: filed, and not taken back.
    """

    since_s: float | None = None
    until_s: float | None = None
    label: str | None = None
    states: tuple[str, ...] = ()
    review_reason: str | None = None
    batch: int | None = None
    held: bool = False
    at_large: bool = False

    def where(self) -> tuple[str, list[Any]]:
        """Return the condition in SQL, and its values."""
        terms, values = ["part_of IS NULL"], []
        for term, value in (
            ("coalesce(concluded_at, intended_at) >= ?", self.since_s),
            ("coalesce(concluded_at, intended_at) <= ?", self.until_s),
            ("label = ?", self.label),
            ("review_reason = ?", self.review_reason),
            ("batch = ?", self.batch),
        ):
            if value is not None:
                terms.append(term)
                values.append(value)
        if self.states:
            terms.append(f"state IN ({', '.join('?' * len(self.states))})")
            values += ["intent" if state == "open" else state for state in self.states]
        if self.held:
            terms.append("held IS NOT NULL")
        if self.at_large:
            terms.append("undoes IS NULL AND NOT taken_back")
        return " AND ".join(terms), values


def select(
    connection: sqlite3.Connection, which: RecordFilter, limit: int = -1, before: int | None = None
) -> Iterator[Record]:
    """Yield the selected photos, youngest first; companions belong to their photo and are left out.

    Args:
        connection: to the ledger.
        which: selects photos.
        limit: how many; negative for all.
        before: only rows with a lower number; None for all.
    """
    condition, values = which.where()
    if before is not None:
        condition, values = f"{condition} AND id < ?", [*values, before]
    rows = connection.execute(f"{_COLUMNS} WHERE {condition} ORDER BY id DESC LIMIT ?", (*values, limit))
    return map(_record, rows)


def how_many(connection: sqlite3.Connection, which: RecordFilter) -> int:
    """Return how many photos are selected."""
    condition, values = which.where()
    (count,) = connection.execute(f"SELECT count(*) FROM ({_COLUMNS} WHERE {condition})", values).fetchone()
    return int(count)


def companions(connection: sqlite3.Connection, row: int) -> list[Record]:
    """Return the companions that were filed with a photo and were not taken back."""
    condition = f"part_of = ? AND state IN ({', '.join(repr(outcome.value) for outcome in MOVED)}) AND NOT taken_back"
    return [_record(found) for found in connection.execute(f"{_COLUMNS} WHERE {condition} ORDER BY id", (row,))]


def about(connection: sqlite3.Connection, path: Path, sha256: str) -> list[Record]:
    """Return all rows of a photo, oldest first: with this path as source or destination, or with this content.

    Args:
        connection: to the ledger.
        path: present or past path, absolute.
        sha256: of the file that lies there now, or empty.
    """
    place = os.fsencode(path)
    return _and_the_same_content(connection, "source = ? OR destination = ?", (place, place), sha256)


def of_id(connection: sqlite3.Connection, wanted: str) -> list[Record]:
    """Return all rows of a photo, oldest first: with this id, or with the same content.

    No row stores its id, so ids are computed, youngest row first, until one is the wanted. A log mostly names young
    photos, which are found at once; the oldest of a million takes a second. An index would be quicker, but each photo
    would pay for it with a page on the disk.
    """
    connection.create_function("photo_id", 1, id_of_words, deterministic=True)
    words = "device || ':' || inode || ':' || size || ':' || mtime_ns"
    youngest = f"SELECT * FROM photos WHERE photo_id({words}) = ? ORDER BY id DESC LIMIT 1"
    row = connection.execute(youngest, (wanted,)).fetchone()
    if row is None:
        return []
    if not row["sha256"]:
        return of_unread(connection, intent_of(row).identity)
    return _and_the_same_content(connection, "id = ?", (row["id"],), "")


def photo_of(connection: sqlite3.Connection, companion: Record) -> Path | None:
    """Return where the photo was filed that a companion belongs to; None for a photo."""
    row = companion.intent.part_of
    if row is None and companion.intent.undoes is not None:
        (row,) = connection.execute("SELECT part_of FROM photos WHERE id = ?", (companion.intent.undoes,)).fetchone()
    found = connection.execute("SELECT destination FROM photos WHERE id = ?", (row,)).fetchone()
    return Path(os.fsdecode(found[0])) if found else None


def of_unread(connection: sqlite3.Connection, identity: Identity) -> list[Record]:
    """Return the rows of a file whose content was never hashed (a companion, a file too large), oldest first.

    Such a file is known by inode, size and time, wherever it lies by now.
    """
    _, inode, size, mtime_ns = identity
    condition = "sha256 = '' AND inode = ? AND size = ? AND mtime_ns = ? ORDER BY id"
    return [_record(row) for row in connection.execute(f"{_COLUMNS} WHERE {condition}", (str(inode), size, mtime_ns))]


def of_name(connection: sqlite3.Connection, name: str) -> list[Record]:
    """Return the newest row of a file of this name, in whatever folder; empty if there is none.

    No index holds names, so all rows are read if there is none: this takes seconds for a million rows.
    """
    ending = b"/" + os.fsencode(name)
    named = "substr({0}, -{1}) = :ending".format
    condition = f"({named('source', len(ending))} OR {named('destination', len(ending))})"
    rows = connection.execute(f"{_COLUMNS} WHERE {condition} ORDER BY id DESC LIMIT 1", {"ending": ending})
    return [_record(row) for row in rows]


def _and_the_same_content(
    connection: sqlite3.Connection, condition: str, values: tuple[str | bytes | int, ...], sha256: str
) -> list[Record]:
    rows = connection.execute(
        f"WITH named AS MATERIALIZED (SELECT id, sha256 FROM photos WHERE {condition}) {_COLUMNS} "
        "WHERE id IN (SELECT id FROM named) "
        "OR (sha256 IN (SELECT sha256 FROM named UNION SELECT ?) AND sha256 != '') ORDER BY id",
        (*values, sha256),
    )
    return [_record(row) for row in rows]


def _record(row: sqlite3.Row) -> Record:
    at_s = row["concluded_at"] if row["concluded_at"] is not None else row["intended_at"]
    state = "open" if row["state"] == "intent" else row["state"]
    return Record(row["id"], row["batch"], state, at_s, intent_of(row), bool(row["taken_back"]))
