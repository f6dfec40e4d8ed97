"""Writes what a look found into the ledger, all or nothing."""

import os
import sqlite3
from collections.abc import Mapping
from typing import NamedTuple

from daemon.labels.class_folders import ClassFolders
from daemon.labels.findings import Findings, Question
from daemon.labels.listed.listing import File
from daemon.labels.rows import RowId, Sighting
from daemon.labels.store.place_columns import FILE, file_columns, file_in, place_columns
from daemon.ledger.labels.events import Event, How, record
from daemon.ledger.refiles import ON_ITS_WAY

_MOVE = (
    "UPDATE places SET folder = ?, name = ?, inode = ?, size = ?, mtime_ns = ?, target = ?, class = ?, is_gone = 0"
    " WHERE photo = ?"
)
_FILED = (
    "SELECT sha256, label, probability, model FROM photos WHERE id = ?"
    f" AND EXISTS (SELECT 1 FROM places WHERE photo = photos.id) AND NOT {ON_ITS_WAY}"
)


class Said(NamedTuple):
    """One label of a look, for the log.

    Attributes:
        place: where the photo is.
        shown: class that the model gave.
        said: class that a person gave; empty if the label was taken back.
    """

    place: str
    shown: str
    said: str


class Applier:
    """Writes findings; the caller holds a transaction of the ledger.

    Args:
        connection: to the ledger.
        ledger: its name in the ids of its rows: findings about rows of other ledgers are left to their own looks.
        folders: tells which class a place names.
        now_s: time of the look.
    """

    def __init__(self, connection: sqlite3.Connection, ledger: str, folders: ClassFolders, now_s: float) -> None:
        self._connection, self._ledger, self._folders, self._now_s = connection, ledger, folders, now_s

    def apply(self, found: Findings, sightings: Mapping[RowId, Sighting]) -> list[Said]:
        """Write all findings; returns what people said.

        Args:
            found: by the look.
            sightings: those that the look was given.
        """
        said = [one for label in found.labels if (one := self._said(*label[:4]))]
        said += [one for back in found.taken_back if (one := self._said(back.row, "", back.place, back.file))]
        for noted in found.noted:
            self._note(noted.row, noted.place, noted.file)
        gone = [(row,) for ledger, row in found.gone if ledger == self._ledger]
        self._connection.executemany("UPDATE places SET is_gone = 1 WHERE photo = ?", gone)
        asked = {
            row: number for question in found.questions for number in [self._ask(question)] for row in question.rows
        }
        self._see(found.sightings, sightings, asked)
        return said

    def note(self, photo: int, place: str, file: File) -> None:
        """Record where a photo is, and what lies there."""
        where = self._folders.where(place).name
        self._connection.execute(_MOVE, (*place_columns(place), *file_columns(file), where, photo))

    def say(self, how: How, photo: int, said: str, place: str) -> Said | None:
        """Record a label, or an empty one that takes a label back; None for a photo that was taken to the inbox."""
        filed = self._connection.execute(_FILED, (photo,)).fetchone()
        if filed is None:
            return None
        sha256, shown, probability, model = filed
        record(self._connection, self._now_s, Event(how, photo, sha256, place, shown, probability, model, said))
        return Said(place, shown, said)

    def _said(self, row: RowId, said: str, place: str, file: File) -> Said | None:
        if row[0] != self._ledger or (one := self.say(How.MOVE, row[1], said, place)) is None:
            return None
        self.note(row[1], place, file)
        return one

    def _note(self, row: RowId, place: str, file: File) -> None:
        if row[0] == self._ledger:
            self.note(row[1], place, file)

    def _ask(self, question: Question) -> int:
        rows = [row for ledger, row in question.rows if ledger == self._ledger]
        if not rows:
            return 0
        insert = "INSERT INTO questions (at, why, left, entered, photos) VALUES (?, ?, ?, ?, ?)"
        values = (self._now_s, question.why.name.lower(), question.left, question.entered, len(rows))
        return self._connection.execute(insert, values).lastrowid or 0

    def _see(self, now: Mapping[RowId, Sighting], before: Mapping[RowId, Sighting], asked: Mapping[RowId, int]) -> None:
        ended = [(row,) for ledger, row in before.keys() - now.keys() if ledger == self._ledger]
        self._connection.executemany("DELETE FROM sightings WHERE photo = ?", ended)
        for (ledger, row), seen in now.items():
            if ledger != self._ledger or before.get((ledger, row)) == seen:
                continue
            kept = "(SELECT question FROM sightings WHERE photo = ?)" if seen.is_asked else "NULL"
            question = asked.get((ledger, row))
            values = (row, os.fsencode(seen.place), *file_columns(seen.file), seen.at_s, seen.sha256)
            if question:
                self._connection.execute(f"{_SEE} (?, ?, ?, ?, ?, ?, ?, ?, ?)", (*values, question))
            else:
                more = (row,) if seen.is_asked else ()
                self._connection.execute(f"{_SEE} (?, ?, ?, ?, ?, ?, ?, ?, {kept})", (*values, *more))
        self._connection.execute(_END, (self._now_s,))


_SEE = "INSERT OR REPLACE INTO sightings VALUES"
_END = (
    "UPDATE questions SET answer = 'ended', answered_at = ? WHERE answered_at IS NULL"
    " AND NOT EXISTS (SELECT 1 FROM sightings WHERE question = questions.id)"
)


def sightings_in(connection: sqlite3.Connection, ledger: str) -> dict[RowId, Sighting]:
    """Return what the next look has to be given."""
    rows = connection.execute(f"SELECT photo, place, {FILE}, at, sha256, question FROM sightings").fetchall()
    return {
        (ledger, photo): Sighting(os.fsdecode(place), file_in(file), at_s, sha256, question is not None)
        for photo, place, *file, at_s, sha256, question in rows
    }
