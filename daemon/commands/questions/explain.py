"""`phototriage explain FILE`: the history of one photo, found by its path now or earlier, its content, or its id."""

import json
import os
import re
import shlex
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import click

from common.errors import PhototriageError
from common.tables import show
from common.text import printable
from contract.formats import has_photo_name
from daemon.commands.questions.asked import AskedFile
from daemon.commands.questions.history import facts, state_word
from daemon.commands.questions.lookups import about, events_of, of_id, of_name, of_unread, photo_of
from daemon.commands.questions.row import LedgerRow
from daemon.commands.questions.said import said_facts, said_lines
from daemon.commands.questions.since import answer, outcome_words, since
from daemon.files.companion_forms import photo_names
from daemon.files.companion_names import candidates, is_companion
from daemon.files.identity import look_at, photo_id
from daemon.intake.filters import why_left
from daemon.ledger.labels.events import LabelEvent
from daemon.ledger.queries import Record
from daemon.ledger.reader import ask_ledger
from daemon.ledger.reading import find_ledgers, roots_of
from daemon.photo import Mode
from daemon.process.clock import local

_ID = re.compile("[0-9a-f]{10}")


class UnknownPhotoError(PhototriageError):
    """The photo is in no ledger."""


class Story(NamedTuple):
    """Everything that the ledgers know of one photo.

    Attributes:
        asked: the file that was asked about; None if an id was given.
        rows: ledger by ledger, oldest first.
    """

    asked: AskedFile | None
    rows: list[LedgerRow]


def story_of(file: Path, inbox: Path | None) -> Story:
    """Return all rows of a photo.

    Args:
        file: a present or earlier path; or a photo's id in the log, if no file of that name is here.
        inbox: the inbox whose ledger is read; None to read every ledger.

    Raises:
        UnknownPhotoError: there are none; the text says what is known instead.
    """
    is_id = _ID.fullmatch(str(file)) is not None and not os.path.lexists(file)
    asked = None if is_id else AskedFile.at(file)
    if asked is not None and asked.place.is_dir():
        raise UnknownPhotoError(_about_folder(asked.place, inbox))
    rows: list[LedgerRow] = []
    alike: list[LedgerRow] = []
    ledgers = find_ledgers(inbox)
    for ledger in ledgers:
        roots = roots_of(ledger)
        known = partial(_known, asked=asked) if asked else partial(of_id, wanted=str(file))
        found = ask_ledger(ledger, partial(_with_the_rest, known=known))
        rows += [LedgerRow(*roots, record, photo, said) for record, photo, said in found]
        if not found and asked is not None and asked.identity is not None:
            same = ask_ledger(ledger, partial(of_name, name=asked.place.name))
            alike += [LedgerRow(*roots, record) for record in same]
    if not rows:
        raise UnknownPhotoError(_unknown(file, asked, ledgers, alike))
    return Story(asked, rows)


def _with_the_rest(
    connection: sqlite3.Connection, known: Callable[[sqlite3.Connection], list[Record]]
) -> list[tuple[Record, Path | None, list[LabelEvent]]]:
    found = known(connection)
    return [(record, photo_of(connection, record), events_of(connection, record)) for record in found]


def _known(connection: sqlite3.Connection, asked: AskedFile) -> list[Record]:
    found = {record.row: record for place in asked.places() for record in about(connection, place, asked.sha256)}
    if not found and asked.identity is not None:
        return of_unread(connection, asked.identity)
    return [found[row] for row in sorted(found)]


def _unknown(file: Path, asked: AskedFile | None, ledgers: list[Path], alike: list[LedgerRow]) -> str:
    where = ", ".join(map(printable, ledgers))
    if asked is None:
        looked = "as an id of the log, because no file of that name is here"
    else:
        looked = "by path and content" if asked.sha256 else f"by path only, because {asked.unread}"
    said = f"No ledger knows {printable(file)}. It was looked for {looked}, in {where}."
    if alike:
        row = max(alike, key=lambda row: row.record.at_s)
        place = row.shown(row.record.path)
        said += f" A file of this name was {outcome_words(row.record)}, to {place}; its content is another."
    return f"{said}{_waits(asked, ledgers)}" if asked is not None and asked.identity is not None else said


def _waits(asked: AskedFile, ledgers: list[Path]) -> str:
    """Return a sentence if the file lies in an inbox, where it waits to be filed."""
    for ledger in ledgers:
        inbox, _ = roots_of(ledger)
        if inbox is not None and asked.place.is_relative_to(inbox):
            if left := why_left(asked.place, inbox):
                return f" It lies in the inbox {printable(inbox)} and is left alone{left}."
            if is_companion(asked.place):
                return f" It waits in the inbox {printable(inbox)} for its photo, {_awaited(asked.place)}."
            return (
                f" It lies in the inbox {printable(inbox)} and was not filed from there yet. What waits there: "
                f"phototriage status --inbox {shlex.quote(printable(inbox))}"
            )
    return ""


def _awaited(companion: Path) -> str:
    there = [name for _, name in candidates(companion.name) if look_at(companion.parent / name) is not None]
    if there:
        return f"{printable(there[0])}, which lies beside it and is not filed yet"
    name = photo_names(companion.name)[0]
    return printable(name) if has_photo_name(Path(name)) else f"{printable(name)} with the extension of a photo"


def _about_folder(folder: Path, inbox: Path | None) -> str:
    said = f"{printable(folder)} is a folder, and `explain` takes one photo."
    for ledger in find_ledgers(inbox):
        root, output = roots_of(ledger)
        if root is None or output is None:
            continue
        ask = f"phototriage history --inbox {shlex.quote(printable(root))}"
        if folder in (root, output):
            return f"{said} What was filed {'from ' if folder == root else ''}there: {ask}"
        if folder.parent == output:
            return f"{said} What was filed there: {ask} --label {shlex.quote(printable(folder.name))}"
    return said


def print_story_json(story: Story) -> None:
    """Print one object per line: the row, where its photo is now, and what people said about it."""
    places = _places(story)
    for row in story.rows:
        photo = {"companion_of": str(row.photo)} if row.photo else {}
        said = {"now": since(row, story.asked, places), "events": said_facts(row)}
        click.echo(json.dumps(facts(row) | photo | said))


def print_story(story: Story) -> None:
    """Print a sentence about the file, then a block per row, oldest first."""
    from rich.table import Table
    from rich.text import Text

    if story.asked is not None:
        click.echo(answer(story.asked, story.rows))
    places = _places(story)
    for row in story.rows:
        table = Table(title=_title(row.record), title_justify="left", box=None, show_header=False, pad_edge=False)
        table.add_column(style="bold", no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in (*_lines(row), ("since", since(row, story.asked, places))):
            table.add_row(name, Text(printable(value)))
        show(table)


def _places(story: Story) -> list[Path]:
    return [row.record.path for row in story.rows]


def _title(record: Record) -> str:
    return f"{local(record.at_s):%Y-%m-%d %H:%M:%S} {state_word(record)}"


def _lines(row: LedgerRow) -> Iterator[tuple[str, str]]:
    record, intent = row.record, row.record.intent
    yield "from", str(intent.source)
    yield "to", str(intent.destination)
    if intent.mode is not Mode.MOVE:
        yield "mode", intent.mode.value
    if row.photo is not None:
        yield "belongs to", row.shown(row.photo)
    elif intent.label:
        review = f"review below {intent.threshold:.4f}" if intent.threshold else "review off"
        yield "class", f"{intent.label} {intent.probability:.4f}, {review}"
    if intent.likeness is not None and row.photo is None:
        yield "familiarity", str(intent.likeness)
    if intent.top:
        yield "most probable", ", ".join(f"{label} {probability:.4f}" for label, probability in intent.top.items())
    if intent.reason:
        yield "reason", intent.reason
    for line in said_lines(row):
        yield "people said", line
    if intent.undoes is None and row.photo is None:
        yield "took", _times(intent.times_ms or {}) or "-"
        yield "model", f"{intent.model} on the {intent.provider.upper()}"
    unread = "it is a companion" if row.photo is not None else "it is too large to read"
    content = f"SHA-256 {intent.sha256}" if intent.sha256 else f"not read, because {unread}"
    yield "content", f"{content}; {intent.identity.size:,} bytes"
    yield "recorded", f"batch {record.batch} of {row.inbox or '?'}, as {photo_id(intent.identity)} in the log"


def _times(times_ms: Mapping[str, float]) -> str:
    return ", ".join(f"{stage} {value:.1f} ms" for stage, value in times_ms.items())
