"""What people said about photos: events in the ledger, and for each content the word that is in force."""

import os
import sqlite3
from collections.abc import Iterator
from enum import StrEnum
from pathlib import PurePath
from typing import NamedTuple


class How(StrEnum):
    """How something was said."""

    MOVE = "move"
    """Found by a look: the photo lay in another class folder at two looks."""
    ANSWER = "answer"
    """The answer to a question about many moves."""
    ADD = "add"
    """`phototriage labels add`."""
    IMPORT = "import"
    """`phototriage labels import`."""
    TAKE_BACK = "take-back"
    """`phototriage labels take-back`."""


class Event(NamedTuple):
    """One thing that was said.

    Attributes:
        how: it was said.
        photo: row of the photo; None for a file that was never filed here.
        sha256: of the photo's content; empty if it was never read.
        place: path of the photo then: below the output, or absolute for a file that was never filed here.
        shown: class that the model had given; empty if it gave none.
        probability: of that class.
        model: SHA-256 of the model file.
        said: the class; empty if what was said before is taken back.
    """

    how: How
    photo: int | None
    sha256: str
    place: str
    shown: str
    probability: float
    model: str
    said: str


class LabelEvent(NamedTuple):
    """An event as the ledger keeps it.

    Attributes:
        number: of the event; later ones have higher numbers.
        at_s: when, in seconds since 1970.
        event: what was said.
    """

    number: int
    at_s: float
    event: Event


_INSERT = (
    "INSERT INTO labels (at, how, photo, sha256, place, shown, probability, model, said) VALUES (?, ?, ?, ?, ?, ?, ?,"
    " ?, ?)"
)
_WORD = (
    "INSERT INTO labelled (sha256, said, event, name) VALUES (?, ?, ?, ?)"
    " ON CONFLICT DO UPDATE SET said = excluded.said, event = excluded.event, name = excluded.name"
)


def record(connection: sqlite3.Connection, now_s: float, event: Event) -> int:
    """Store an event, and make it the word in force about its photo and its content; the caller commits.

    Args:
        connection: to the ledger, in a transaction.
        now_s: wall time.
        event: what was said.

    Returns:
        The number of the event.
    """
    values = (event.how.value, event.photo, event.sha256, os.fsencode(event.place), *event[4:])
    number = connection.execute(_INSERT, (now_s, *values)).lastrowid or 0
    if event.sha256:
        name = os.fsencode(PurePath(event.place).name).decode(errors="replace")  # a name may be no text
        connection.execute(_WORD, (event.sha256, event.said, number, name))
    if event.photo is not None:
        connection.execute("UPDATE places SET said = ? WHERE photo = ?", (event.said, event.photo))
    return number


def events(connection: sqlite3.Connection, condition: str = "1", *values: int | float | str) -> Iterator[LabelEvent]:
    """Yield events, oldest first.

    Args:
        connection: to the ledger.
        condition: SQL on the columns of `labels`.
        values: of its placeholders.
    """
    columns = "id, at, how, photo, sha256, place, shown, probability, model, said"
    for number, at_s, how, photo, sha256, place, *rest in connection.execute(
        f"SELECT {columns} FROM labels WHERE {condition} ORDER BY id", values
    ):
        yield LabelEvent(number, at_s, Event(How(how), photo, sha256, os.fsdecode(place), *rest))
