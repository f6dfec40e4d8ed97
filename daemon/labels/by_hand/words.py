"""Labels that a person gives or takes back by a command, one photo at a time."""

import sqlite3
from pathlib import Path

from common.text import printable
from daemon.labels.by_hand.errors import LabelError
from daemon.labels.by_hand.subject import Subject
from daemon.ledger.labels.events import Event, How, LabelEvent, events, record

_SAME = "(sha256 <> '' AND sha256 = ?1) OR photo = ?2"


def word_of(connection: sqlite3.Connection, subject: Subject) -> str:
    """Return the label in force of a photo's content; empty if there is none."""
    if not subject.sha256:
        return subject.said
    found = connection.execute("SELECT said FROM labelled WHERE sha256 = ?", (subject.sha256,)).fetchone()
    return str(found[0]) if found else ""


def say(connection: sqlite3.Connection, now_s: float, how: How, subject: Subject, said: str) -> bool:
    """Record a label; False if it is in force already. The caller holds a transaction.

    Args:
        connection: to the ledger.
        now_s: wall time.
        how: it was said.
        subject: the photo.
        said: the class, as it is spelled already.
    """
    if word_of(connection, subject) == said:
        return False
    record(connection, now_s, Event(how, *subject[:6], said))
    return True


def take_back(connection: sqlite3.Connection, now_s: float, subject: Subject) -> str:
    """Take the label in force back, from each row of the content; returns it. The caller holds a transaction.

    Args:
        connection: to the ledger.
        now_s: wall time.
        subject: the photo.

    Raises:
        LabelError: no label is in force.
    """
    was = word_of(connection, subject)
    if not was:
        raise LabelError(f"No label of {printable(subject.path)} is in force.")
    same = "SELECT photo FROM places JOIN photos ON photos.id = photo WHERE said <> '' AND sha256 <> '' AND sha256 = ?"
    rows: list[int | None] = [photo for (photo,) in connection.execute(same, (subject.sha256,))]
    for photo in dict.fromkeys((*rows, subject.photo)):
        record(connection, now_s, Event(How.TAKE_BACK, photo, *subject[1:6], ""))
    return was


def subject_of_event(connection: sqlite3.Connection, number: int) -> Subject:
    """Return the photo of a label in force, by the number of its event.

    Raises:
        LabelError: there is no such label, or it is not in force any more.
    """
    found = next(events(connection, "id = ?", number), None)
    if found is None:
        raise LabelError(f"There is no label {number}. `phototriage labels` shows their numbers.")
    event = found.event
    later = last_about(connection, event.sha256, event.photo)
    if later is not None and later.number > number:
        what = f"label {later.number}, {printable(later.event.said)}," if later.event.said else "a label taken back"
        raise LabelError(f"Label {number} is not in force any more, because {what} came later.")
    return Subject(*event[1:7], event.said, Path(event.place))


def last_about(connection: sqlite3.Connection, sha256: str, photo: int | None) -> LabelEvent | None:
    """Return the last event about a content or a row."""
    row = connection.execute(f"SELECT max(id) FROM labels WHERE {_SAME}", (sha256, photo)).fetchone()
    return None if row[0] is None else next(events(connection, "id = ?", row[0]), None)
