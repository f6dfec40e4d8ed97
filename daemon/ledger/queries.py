"""Queries of the ledger: rows chosen by time, class, state, batch or photo."""

import os
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.ledger import schema
from daemon.ledger.intent import Intent, intent_of
from daemon.ledger.refiles import REFILED
from daemon.ledger.since import places
from daemon.ledger.since.places import Place, filed_folder, place_of
from daemon.photo import Outcome

MOVED = (Outcome.FILED, Outcome.REVIEW, Outcome.FAILED, Outcome.DUPLICATE)
"""States of photos that lie in the output, as far as the ledger knows."""
TAKEN_BACK = (Outcome.UNDONE, Outcome.RETRIED)
_UNDOES_A_REFILING = "EXISTS (SELECT 1 FROM photos AS was WHERE was.id = photos.undoes AND was.refiles IS NOT NULL)"
_AUDITED = "SELECT said FROM audits WHERE audits.sha256 = photos.sha256 AND audits.model = photos.model AND said <> ''"
RECORDS = (
    f"SELECT photos.*, {schema.TAKEN_BACK} AS taken_back, {REFILED} AS refiled,"
    f" {_UNDOES_A_REFILING} AS undoes_refiling, ({_AUDITED}) AS audited, {places.COLUMNS} FROM photos {places.JOIN}"
)
"""All that `record_of` reads; the condition follows."""


@dataclass(frozen=True, slots=True)
class Record:
    """One row: an intent and its outcome.

    Attributes:
        row: its number; later rows have higher numbers.
        batch: number shared by all rows of one commit.
        state: one of `daemon.photo.STATES`.
        at_s: when, in seconds since 1970.
        intent: the rest of the row.
        taken_back: whether a later row undid it, or moved the photo to another class.
        refiled: whether a later row moved the photo to another class.
        undoes_refiling: whether it moved the photo back from another class, and not to the inbox.
        place: where the photo is now; None if it lies where it was filed, or is no longer in the output.
        audited: what a person saw on it in an audit of the model that filed it; no label; empty if nobody was asked.
    """

    row: int
    batch: int
    state: str
    at_s: float
    intent: Intent
    taken_back: bool
    refiled: bool = False
    undoes_refiling: bool = False
    place: Place | None = None
    audited: str = ""

    @property
    def path(self) -> Path:
        """Where the photo is now; the last known place if it is gone."""
        return self.intent.destination if self.place is None else self.place.path

    @property
    def folder(self) -> str:
        """The class whose folder the photo lies in now, or the folder with an underscore; empty for neither."""
        return filed_folder(self.intent) if self.place is None else self.place.folder

    @property
    def said(self) -> str:
        """The label in force: what people said last; empty if they said nothing."""
        return "" if self.place is None else self.place.said

    @property
    def is_in_output(self) -> bool:
        """Whether the photo lies in the output, as far as the ledger knows."""
        is_gone = self.place is not None and self.place.is_gone
        return self.state in MOVED and not self.taken_back and not is_gone


@dataclass(frozen=True, slots=True)
class RecordFilter:
    """Which rows to select; None does not restrict.

    Attributes:
        since_s: earliest time, in seconds since 1970.
        until_s: latest time, in seconds since 1970.
        label: class whose folder the photo lies in now, or a folder with an underscore.
        or_taken_for: `label` also selects photos that lie in a folder with an underscore and that the model took for
            that class.
        said: label in force.
        states: one of these, of `daemon.photo.STATES`.
        review_reason: why it went to review.
        batch: number of the batch.
        held: only photos that the daemon leaves alone in the inbox.
        at_large: only photos in the output: filed, and not taken back.
        not_by: SHA-256 of a model: only photos that another one has filed, or about which people said something.
    """

    since_s: float | None = None
    until_s: float | None = None
    label: str | None = None
    or_taken_for: bool = False
    said: str | None = None
    states: tuple[str, ...] = ()
    review_reason: str | None = None
    batch: int | None = None
    held: bool = False
    at_large: bool = False
    not_by: str | None = None

    def where(self) -> tuple[str, list[Any]]:
        """Return the condition in SQL, and its values."""
        terms, values = ["part_of IS NULL"], []
        for term, value in (
            ("coalesce(concluded_at, intended_at) >= ?", self.since_s),
            ("coalesce(concluded_at, intended_at) <= ?", self.until_s),
            ("coalesce(place.said, '') = ?", self.said),
            ("review_reason = ?", self.review_reason),
            ("batch = ?", self.batch),
            ("(model <> ? OR coalesce(place.said, '') <> '')", self.not_by),
        ):
            if value is not None:
                terms.append(term)
                values.append(value)
        if self.label is not None:
            taken_for = f" OR (label = ? AND substr({places.FOLDER}, 1, 1) = '_')" if self.or_taken_for else ""
            terms.append(f"({places.FOLDER} = ?{taken_for})")
            values += [self.label] * (2 if self.or_taken_for else 1)
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
    rows = connection.execute(f"{RECORDS} WHERE {condition} ORDER BY id DESC LIMIT ?", (*values, limit))
    return map(record_of, rows)


def how_many(connection: sqlite3.Connection, which: RecordFilter) -> int:
    """Return how many photos are selected."""
    condition, values = which.where()
    (count,) = connection.execute(f"SELECT count(*) FROM ({RECORDS} WHERE {condition})", values).fetchone()
    return int(count)


def were_filed(connection: sqlite3.Connection, photos: Iterable[tuple[Path, str]]) -> list[bool]:
    """Tell of each photo whether it was filed from a path, and not taken back since.

    Args:
        connection: to the ledger.
        photos: path in the inbox and SHA-256 of the content, hexadecimal.
    """
    filed = f"state IN ({', '.join(repr(outcome.value) for outcome in MOVED)}) AND undoes IS NULL AND refiles IS NULL"
    query = f"SELECT 1 FROM photos WHERE source = ? AND sha256 = ? AND {filed} AND NOT {schema.UNDONE} LIMIT 1"
    asked = ((os.fsencode(source), sha256) for source, sha256 in photos)
    return [connection.execute(query, one).fetchone() is not None for one in asked]


def companions(connection: sqlite3.Connection, row: int) -> list[Record]:
    """Return the companions that were filed with a photo and were not taken back."""
    condition = f"part_of = ? AND state IN ({', '.join(repr(outcome.value) for outcome in MOVED)}) AND NOT taken_back"
    return [record_of(found) for found in connection.execute(f"{RECORDS} WHERE {condition} ORDER BY id", (row,))]


def record_of(row: sqlite3.Row) -> Record:
    """Return the record in a row of `RECORDS`."""
    at_s = row["concluded_at"] if row["concluded_at"] is not None else row["intended_at"]
    state = "open" if row["state"] == "intent" else row["state"]
    flags = bool(row["taken_back"]), bool(row["refiled"]), bool(row["undoes_refiling"])
    return Record(row["id"], row["batch"], state, at_s, intent_of(row), *flags, place_of(row), row["audited"] or "")
