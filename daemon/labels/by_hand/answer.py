"""Answers a question about many moves: each move is a label, the class was renamed, or nothing was said."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path, PurePath
from typing import NamedTuple

from common.text import printable
from daemon.files.confined import TO_READ
from daemon.files.locks import take_lock
from daemon.labels.by_hand.errors import LabelError
from daemon.labels.class_folders import ClassFolders
from daemon.labels.listed.listing import File
from daemon.labels.looker import LOCK
from daemon.labels.store.apply import Applier
from daemon.labels.store.description import folders_of, rename_folder
from daemon.labels.store.place_columns import FILE, file_in
from daemon.ledger.labels.events import How
from daemon.ledger.reading import root_of
from daemon.ledger.transaction import Transaction

PATIENCE_S = 60.0
"""How long an answer waits for a look that goes on now."""
_SEEN = (
    f"SELECT sightings.photo, place, {', '.join(f'sightings.{column}' for column in FILE.split(', '))}, filed_as"
    " FROM sightings JOIN places ON places.photo = sightings.photo WHERE question = ?"
)
_LATER = "UPDATE sightings SET question = NULL, at = ? WHERE photo = ?"
_ANSWERED = "UPDATE questions SET answer = ?, answered_at = ? WHERE id = ?"


class Reply(StrEnum):
    """What a person answers."""

    LABELS = "labels"
    """Each photo is of the class in whose folder it lies now."""
    RENAMED = "renamed"
    """The class got another name; nothing is said about single photos."""
    IGNORE = "ignore"
    """The moves say nothing: a program made them, or somebody tidied up."""


class Answered(NamedTuple):
    """What an answer did.

    Attributes:
        labels: photos that were labelled.
        noted: photos whose places alone were noted.
        elsewhere: photos that moved on since they were seen: the next look judges each of them by itself.
    """

    labels: int
    noted: int
    elsewhere: int


class _Seen(NamedTuple):
    photo: int
    place: str
    file: File
    filed_as: str


def answer(connection: sqlite3.Connection, state: Path, number: int, reply: Reply, now_s: float) -> Answered:
    """Answer a question, all or nothing.

    Args:
        connection: to the ledger, in autocommit mode.
        state: folder of the ledger.
        number: of the question.
        reply: the answer.
        now_s: wall time.

    Raises:
        LabelError: there is no such question, it has ended, or a look does not end.
    """
    with between_looks(state), Transaction(connection):
        left, entered = _check_open(connection, number)
        if reply is Reply.RENAMED:
            _rename(connection, left, entered)
        folders = folders_of(connection)
        output = root_of(connection, "output")
        applier = Applier(connection, "", folders, now_s)
        count = {"labels": 0, "noted": 0, "elsewhere": 0}
        for photo, where, *columns, filed_as in connection.execute(_SEEN, (number,)).fetchall():
            seen = _Seen(photo, os.fsdecode(where), file_in(columns), filed_as)
            if output is None or _file_at(output / seen.place) != seen.file:
                connection.execute(_LATER, (now_s, photo))
                count["elsewhere"] += 1
            else:
                count[_settle(connection, applier, folders, seen, reply)] += 1
        connection.execute("DELETE FROM sightings WHERE question = ?", (number,))
        connection.execute(_ANSWERED, (reply.value, now_s, number))
    return Answered(**count)


def _settle(
    connection: sqlite3.Connection,
    applier: Applier,
    folders: ClassFolders,
    seen: "_Seen",
    reply: Reply,
) -> str:
    """Write the answer about one photo; returns what it counts as."""
    photo, place, file, filed_as = seen
    where = folders.where(place)
    is_back = where.name == filed_as
    is_label = reply is Reply.LABELS and (where.is_class or is_back)
    if is_label and applier.say(How.ANSWER, photo, "" if is_back else where.name, place) is None:
        return "elsewhere"
    applier.note(photo, place, file)
    if not is_label:
        connection.execute("UPDATE places SET filed_as = ? WHERE photo = ?", (where.name, photo))
    return "labels" if is_label and not is_back else "noted"


def _rename(connection: sqlite3.Connection, left: str, entered: str) -> None:
    """Let new photos go to the folder of the new name, if a whole class folder was renamed."""
    folders, new = folders_of(connection), PurePath(entered).name
    before, after = folders.where(f"{left}/x"), folders.where(f"{entered}/x")
    above = PurePath(left).parent
    is_whole = above == PurePath(entered).parent and folders.where(f"{above}/x") != before
    is_free = after.name == before.name or not folders.knows(after.name)
    if is_whole and is_free and before.is_class and after.is_class:
        rename_folder(connection, before.name, new)


def _check_open(connection: sqlite3.Connection, number: int) -> tuple[str, str]:
    """Return the folder that was left and the one that was entered."""
    found = connection.execute("SELECT answer, left, entered FROM questions WHERE id = ?", (number,)).fetchone()
    if found is None:
        raise LabelError(f"There is no question {number}. `phototriage labels` shows the open ones.")
    if found[0]:
        ended = "it ended by itself, because its photos are back" if found[0] == "ended" else f"as {found[0]}"
        raise LabelError(f"Question {number} was answered already: {ended}.")
    return str(found[1]), str(found[2])


def _file_at(path: Path) -> File | None:
    try:
        status = path.lstat()
        target = str(path.readlink()) if path.is_symlink() else ""
    except OSError:
        return None
    return File(status.st_ino, status.st_size, status.st_mtime_ns, target)


@contextmanager
def between_looks(state: Path) -> Iterator[None]:
    """Keep looks away until the end of the block: one that has read the sightings would write old ones again.

    Args:
        state: folder of the ledger.

    Raises:
        LabelError: a look goes on and does not end.
    """
    lock = state / LOCK
    try:
        descriptor = os.open(lock, TO_READ)
    except FileNotFoundError:  # nobody has looked yet
        yield
        return
    except OSError as error:
        raise LabelError(f"{printable(lock)} cannot be opened ({error.strerror}).") from error
    try:
        if not take_lock(descriptor, PATIENCE_S):
            raise LabelError("Another process looks at the output at the moment. Try again when it has finished.")
        yield
    finally:
        os.close(descriptor)
