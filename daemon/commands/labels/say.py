"""`phototriage labels add` and `take-back`: one word about some photos, in one transaction a ledger."""

import sqlite3
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from common.text import printable
from daemon.commands.labels.choose import ledger_of, ledger_with
from daemon.commands.labels.first_look import look_first
from daemon.labels.by_hand.classes import classes_of
from daemon.labels.by_hand.errors import LabelError
from daemon.labels.by_hand.subject import NamedFile, Subject, named_file, subject_of
from daemon.labels.by_hand.words import say, subject_of_event
from daemon.labels.by_hand.words import take_back as withdraw
from daemon.labels.by_hand.writing import writing
from daemon.ledger.labels.events import How
from daemon.ledger.transaction import Transaction
from daemon.process.clock import Clock


def add(files: Sequence[Path], name: str, inbox: Path | None, *, is_new: bool) -> Iterator[tuple[Path, str, bool]]:
    """Label photos; yields for each its path, the class as it is spelled, and whether that is new.

    Args:
        files: as a person named them.
        name: of the class.
        inbox: of the ledger; None if the photos tell it.
        is_new: whether a class that nobody knows is meant.

    Raises:
        LabelError: a file is no photo and was none, or the class is refused; nothing is recorded in that ledger.
    """
    for ledger, some in _by_ledger(files, inbox).items():
        now_s = Clock().wall_s()
        with writing(ledger) as connection:
            look_first(ledger, now_s)
            with Transaction(connection):
                classes = classes_of(connection)
                said = classes.spelled(name)
                if not is_new and not classes.is_known(said):
                    raise LabelError(classes.unknown([said]))
                subjects = [_subject(connection, named) for named in some]
                changed = [say(connection, now_s, How.ADD, subject, said) for subject in subjects]
        yield from ((subject.path, said, is_changed) for subject, is_changed in zip(subjects, changed, strict=True))


def take_back(which: Sequence[str], inbox: Path | None) -> Iterator[tuple[Path, str]]:
    """Take labels back; yields for each photo its path, and the label that was in force.

    Args:
        which: files, or numbers of labels.
        inbox: of the ledger; None if the photos tell it.

    Raises:
        LabelError: a photo has no label in force; nothing is recorded in that ledger.
    """
    numbers = [int(one) for one in which if _is_number(one)]
    chosen: dict[Path, list[NamedFile | int]] = {}
    for number in numbers:
        chosen.setdefault(ledger_with(inbox, partial(_has, number=number), f"label {number}"), []).append(number)
    for ledger, some in _by_ledger([Path(one) for one in which if not _is_number(one)], inbox).items():
        chosen.setdefault(ledger, []).extend(some)
    for ledger, these in chosen.items():
        now_s = Clock().wall_s()
        with writing(ledger) as connection:
            look_first(ledger, now_s)
            with Transaction(connection):
                subjects = [
                    subject_of_event(connection, one) if isinstance(one, int) else _subject(connection, one)
                    for one in these
                ]
                was = [withdraw(connection, now_s, subject) for subject in subjects]
        yield from ((subject.path, word) for subject, word in zip(subjects, was, strict=True))


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdigit() and not Path(word).exists()


def _has(connection: sqlite3.Connection, number: int) -> bool:
    return connection.execute("SELECT 1 FROM labels WHERE id = ?", (number,)).fetchone() is not None


def _by_ledger(files: Sequence[Path], inbox: Path | None) -> dict[Path, list[NamedFile]]:
    found: dict[Path, list[NamedFile]] = {}
    for file in files:
        named = named_file(file)
        found.setdefault(ledger_of(inbox, named), []).append(named)
    return found


def _subject(connection: sqlite3.Connection, named: NamedFile) -> Subject:
    found = subject_of(connection, named)
    if found is None:
        raise LabelError(f"{printable(named.path)} does not exist, and the ledger knows no photo that was there.")
    return found
