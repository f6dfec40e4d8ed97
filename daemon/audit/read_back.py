"""Reads the table of an export, partly or wholly filled in, as often as one likes: what is kept already stays."""

import csv
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from common.text import printable
from daemon.audit.answered_class import class_in, classes_for, names_of
from daemon.audit.errors import AuditError
from daemon.audit.export import HEADINGS
from daemon.audit.neutral_copy import is_at_hand, token_in
from daemon.ledger.audits.answers import Drawn, answer, with_token
from daemon.ledger.transaction import Transaction

_MODEL = "SELECT model FROM audits WHERE token = ?"


class Row(NamedTuple):
    """One line of the table.

    Attributes:
        line: its number.
        name: of the photo's copy.
        said: the class; empty if it was not filled in.
    """

    line: int
    name: str
    said: str


@dataclass(slots=True)
class Answers:
    """What a table says.

    Attributes:
        new: answers to be kept, by tokens.
        other: answers that are kept already and say something else, by tokens: the new ones.
        in_force: how many are kept already.
        empty: how many lines are not filled in.
        faults: lines that say nothing, as sentences.
    """

    new: dict[str, str] = field(default_factory=dict)
    other: dict[str, str] = field(default_factory=dict)
    in_force: int = 0
    empty: int = 0
    faults: list[str] = field(default_factory=list)


def rows_in(source: Path) -> list[Row]:
    """Return the lines of a table of audited photos; none if the file is anything else.

    Raises:
        AuditError: it begins as such a table, and cannot be read.
    """
    try:
        if source.suffix.lower() in (".jsonl", ".ndjson") or not source.is_file():
            return []
        with source.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            first = file.readline()
            if HEADINGS[0] not in first.lower():
                return []
            file.seek(0)
            return list(_rows(csv.reader(file, delimiter=max(",;\t", key=first.count))))
    except (OSError, csv.Error) as error:
        raise AuditError(f"{printable(source)} cannot be read ({error}).") from error


def _rows(lines: Iterator[list[str]]) -> Iterator[Row]:
    headings = [word.strip().lower() for word in next(lines)]
    if not set(HEADINGS) <= set(headings):
        raise csv.Error(f"its first line must name the columns {' and '.join(HEADINGS)}")
    name, said = map(headings.index, HEADINGS)
    for number, line in enumerate(lines, 2):
        cells = line + [""] * len(headings)
        if cells[name].strip():
            yield Row(number, Path(cells[name].strip()).name, cells[said].strip())


def is_known(connection: sqlite3.Connection, rows: list[Row]) -> bool:
    """Tell whether a ledger drew any of these photos."""
    return any(with_token(connection, token_in(row.name)) for row in rows)


def compare(connection: sqlite3.Connection, folder: Path, rows: list[Row]) -> Answers:
    """Return what the lines of a table would change; nothing is written.

    Args:
        connection: to the ledger.
        folder: of the table; copies that still lie there must be unchanged.
        rows: of the table.
    """
    found = Answers()
    for row in rows:
        drawn = with_token(connection, token_in(row.name))
        if not row.said:
            found.empty += 1
        elif drawn is None:
            found.faults.append(f"line {row.line}: {printable(row.name)} was not drawn from this inbox.")
        elif _is_changed(folder / row.name, drawn):
            found.faults.append(
                f"line {row.line}: {printable(row.name)} was changed since the export. Export again into a new folder."
            )
        else:
            _take(connection, found, row, drawn)
    return found


def _take(connection: sqlite3.Connection, found: Answers, row: Row, drawn: Drawn) -> None:
    (model,) = connection.execute(_MODEL, (drawn.token,)).fetchone()
    classes = classes_for(connection, model)
    said = class_in(row.said, classes)
    if said is None:
        near = get_close_matches(row.said, names_of(classes), 1)
        meant = f" Did you mean {printable(near[0])}?" if near else ""
        found.faults.append(f"line {row.line}: no class is called {printable(row.said)!r}.{meant}")
    elif found.new.get(drawn.token, found.other.get(drawn.token, said)) != said:
        found.faults.append(f"line {row.line}: {printable(row.name)} has another class in a line before.")
    elif drawn.said == said:
        found.in_force += 1
    elif drawn.said:
        found.other[drawn.token] = said
    else:
        found.new[drawn.token] = said


def _is_changed(copy: Path, drawn: Drawn) -> bool:
    return copy.exists() and not is_at_hand([copy], drawn.sha256)


def keep(connection: sqlite3.Connection, found: Answers, now_s: float, *, replaces: bool) -> int:
    """Keep the answers of a table, all or none; returns how many.

    Args:
        connection: to the ledger, in autocommit mode.
        found: what it says.
        now_s: wall time.
        replaces: whether it counts more than other answers.
    """
    answers = found.new | (found.other if replaces else {})
    with Transaction(connection):
        answer(connection, now_s, answers.items())
    return len(answers)
