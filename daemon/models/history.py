"""What the ledger remembers of models: which one was in use since when, which was refused and why, and rollbacks."""

import json
import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from common.text import printable


class ModelEvent(StrEnum):
    """What happened to a model."""

    STARTED = "started"
    """A daemon started with it."""
    USED = "used"
    """It replaced another one while photos were filed."""
    REFUSED = "refused"
    """It was tried and cannot be used; the model before stays in use."""
    ROLLED_BACK = "rolled back"
    """It is in use again, because a user asked to go back."""
    UNCHANGED = "unchanged"
    """It was asked for, and is in use already."""
    PLACED = "placed"
    """It was chosen while no daemon ran; the next start uses it."""


_SERVED = (ModelEvent.STARTED, ModelEvent.USED, ModelEvent.ROLLED_BACK)


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the table `models`.

    Attributes:
        at_s: when, in seconds since 1970.
        file: where it was read from.
        what: happened to it.
        sha256: of its bytes; empty if it was refused.
        labels: in the model's order; empty if it was refused.
        reason: why it was refused.
        before: file of the model that was in use until then.
        over: what --model named, as the model store calls it.
        request: id of the `model use` or `model rollback` that asked for it; empty if none did.
    """

    at_s: float
    file: Path
    what: ModelEvent
    sha256: str = ""
    labels: tuple[str, ...] = ()
    reason: str = ""
    before: Path = Path()
    over: str = ""
    request: str = ""

    def sentence(self) -> str:
        """Return what happened in one line."""
        name, before = printable(self.file.name), printable(self.before.name)
        knows = f"{name} ({self.sha256[:12]}), which knows {', '.join(map(printable, self.labels))}"
        match self.what:
            case ModelEvent.REFUSED:
                still = "the version before" if name == before else before
                return f"{name} is refused, and {still} stays in use: {self.reason}"
            case ModelEvent.UNCHANGED:
                return f"{name} is unchanged ({self.sha256[:12]}) and stays in use"
            case ModelEvent.ROLLED_BACK:
                return f"rolled back from {before} to {knows}"
            case ModelEvent.USED:
                return f"{before} is replaced by {knows}"
            case ModelEvent.PLACED:
                return f"the next start uses {knows}"
        return f"in use: {knows}"


def note(ledger: Path, entry: Entry) -> None:
    """Write a row, durably; a running daemon may write to the same ledger.

    A start with the model that was in use last is no news, so it leaves no row.

    Raises:
        sqlite3.Error: it cannot be written.
    """
    with closing(sqlite3.connect(ledger, isolation_level=None)) as connection:
        connection.row_factory = sqlite3.Row
        last = serving(connection) if entry.what is ModelEvent.STARTED else None
        if last is not None and (last.sha256, last.over) == (entry.sha256, entry.over):
            return
        connection.execute(
            "INSERT INTO models (at, file, what, sha256, labels, reason, was_before, over, request)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                entry.at_s, os.fsencode(entry.file), entry.what.value, entry.sha256,
                json.dumps(entry.labels, ensure_ascii=False), entry.reason, os.fsencode(entry.before),
                entry.over, entry.request,
            ),
        )  # fmt: skip


def entries(connection: sqlite3.Connection, limit: int = -1) -> list[Entry]:
    """Return the newest rows, at most `limit`, the newest first; the connection returns rows by name."""
    return [_entry(row) for row in connection.execute("SELECT * FROM models ORDER BY id DESC LIMIT ?", (limit,))]


def serving(connection: sqlite3.Connection) -> Entry | None:
    """Return the row of the model that is in use, or was last; None before the first start."""
    return _last(connection, *_SERVED)


def in_use(connection: sqlite3.Connection) -> Entry | None:
    """Return the row of the model that is in use, or that the next start uses; None before the first start."""
    return _last(connection, *_SERVED, ModelEvent.PLACED)


def answer(connection: sqlite3.Connection, request: str) -> Entry | None:
    """Return the row that answers a request; None until a daemon has answered it."""
    row = connection.execute("SELECT * FROM models WHERE request = ? ORDER BY id DESC", (request,)).fetchone()
    return _entry(row) if row else None


def _last(connection: sqlite3.Connection, *events: ModelEvent) -> Entry | None:
    marks = ", ".join(f"'{what.value}'" for what in events)
    row = connection.execute(f"SELECT * FROM models WHERE what IN ({marks}) ORDER BY id DESC LIMIT 1").fetchone()
    return _entry(row) if row else None


def _entry(row: sqlite3.Row) -> Entry:
    return Entry(
        row["at"],
        Path(os.fsdecode(row["file"])),
        ModelEvent(row["what"]),
        row["sha256"],
        tuple(json.loads(row["labels"])),
        row["reason"],
        Path(os.fsdecode(row["was_before"])),
        row["over"],
        row["request"],
    )
