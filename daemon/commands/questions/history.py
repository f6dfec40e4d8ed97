"""`phototriage history`: what was filed when and where, as a table, as JSON lines, or as CSV."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import click

from common.tables import show_parts
from common.text import cell, printable
from daemon.commands.questions.row import LedgerRow, said_words
from daemon.files.identity import photo_id
from daemon.ledger.queries import MOVED, Record, RecordFilter
from daemon.ledger.reader import records
from daemon.ledger.reading import find_ledgers, roots_of
from daemon.photo import Mode, Outcome
from daemon.process.clock import local


def ask(inbox: Path | None, which: RecordFilter, limit: int, service: str | None = None) -> Iterator[LedgerRow]:
    """Yield the rows that a filter selects, ledger by ledger, newest first.

    Args:
        inbox: the inbox whose ledger is read; None to read every ledger.
        which: selects rows.
        limit: rows per ledger; negative for no limit.
        service: whose ledger is read, instead of an inbox.
    """
    for path in find_ledgers(inbox, service):
        roots = roots_of(path)
        for record in records(path, which, limit):
            yield LedgerRow(*roots, record)


def facts(row: LedgerRow) -> dict[str, Any]:
    """Return a row for scripts. Paths are as in the file system; bytes that are not UTF-8 are escaped."""
    inbox, record, intent = row.inbox, row.record, row.record.intent
    likeness = intent.likeness
    return {
        "inbox": str(inbox) if inbox else None,
        "at": local(record.at_s).isoformat(timespec="milliseconds"),
        "id": photo_id(intent.identity),
        "batch": record.batch,
        "state": record.state,
        "path": str(intent.source),
        "destination": str(intent.destination),
        "place": str(record.path) if record.is_in_output else None,
        "folder": record.folder if record.is_in_output else None,
        "label": intent.label,
        "said": record.said or None,
        "audited": record.audited or None,
        "probability": round(intent.probability, 6),
        "threshold": round(intent.threshold, 6),
        "familiarity": None if likeness is None else round(likeness.familiarity, 6),
        "nearest": None if likeness is None else likeness.nearest,
        "familiarity_limit": None if likeness is None or likeness.limit is None else round(likeness.limit, 6),
        "review_reason": intent.review_reason.value if intent.review_reason else None,
        "known_as": intent.known_as or None,
        "reason": intent.reason,
        "mode": intent.mode.value,
        "taken_back": record.taken_back,
        "refiles": intent.refiles is not None,
        "sha256": intent.sha256,
        "model": intent.model,
        "provider": intent.provider,
        "top": dict(intent.top or {}),
        "times_ms": dict(intent.times_ms or {}),
    }


def print_json(rows: Iterable[LedgerRow]) -> None:
    """Print one object per line."""
    for row in rows:
        click.echo(json.dumps(facts(row)))


def print_csv(rows: Iterable[LedgerRow]) -> None:
    """Print a header and one line per row, without nested values. No cell can be run as a formula."""
    headed = False
    for row in rows:
        cells = {name: value for name, value in facts(row).items() if not isinstance(value, dict)}
        if not headed:
            click.echo(_line(cells), nl=False)
            headed = True
        click.echo(_line(map(_cell, cells.values())), nl=False)


def _line(cells: Iterable[Any]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(cells)
    return out.getvalue()


def _cell(value: Any) -> Any:
    return printable(cell(value)) if isinstance(value, str) else value


def print_table(rows: Iterable[LedgerRow]) -> None:
    """Print a table per inbox, newest first.

    A path is whole below the output. The photo's own name stands beside it only if it was filed under another one:
    a column of names would leave no room for the paths on a terminal of 80 columns.
    """
    from rich.table import Table
    from rich.text import Text

    def _table(title: str) -> Table:
        new = Table(title=title, title_justify="left", box=None, pad_edge=False)
        new.add_column("when", no_wrap=True)
        new.add_column("batch", justify="right")
        for heading in ("what", "where"):
            new.add_column(heading, overflow="fold")
        return new

    shown = False
    for inbox, group in groupby(rows, key=lambda row: row.inbox):
        shown |= show_parts(partial(_table, printable(inbox or "?")), ([*map(Text, _cells(row))] for row in group))
    if not shown:
        click.echo("No photo in the ledger matches.", err=True)


def _cells(row: LedgerRow) -> Iterator[str]:
    record, intent = row.record, row.record.intent
    yield f"{local(record.at_s):%Y-%m-%d %H:%M:%S}"
    yield str(record.batch)
    yield what(record)
    renamed = intent.source.name != intent.destination.name
    filed = row.shown(intent.destination) + (f", was {printable(intent.source.name)}" if renamed else "")
    yield f"{filed}{_now(row)}"


def _now(row: LedgerRow) -> str:
    """Return where a photo is now if that is not where it was filed."""
    place = row.record.place
    if place is None or (place.path == row.record.intent.destination and not place.is_gone):
        return ""
    return ", gone since" if place.is_gone else f", now {row.shown(place.path)}"


def state_word(record: Record) -> str:
    """Return the state of a row in a word: a photo that `refile` moved to another class is `refiled`."""
    return "refiled" if record.intent.refiles is not None and record.state == Outcome.FILED else record.state


def what(record: Record) -> str:
    """Return the outcome of a photo in a few words."""
    intent = record.intent
    sure = f" {intent.label} {intent.probability:.2f}" if intent.label else ""
    why = f", {intent.review_reason.value}" if intent.review_reason else ""
    why = ", known" if intent.known_as and record.state in (Outcome.FILED, Outcome.REVIEW) else why
    how = f" ({intent.mode})" if intent.mode is not Mode.MOVE else ""
    said = f", said {said_words(record.said)}" if record.said else ""
    since = ", refiled since" if record.refiled else ", taken back"
    since = since if record.taken_back and record.state in MOVED else ""
    return printable(f"{state_word(record)}{sure}{why}{how}{said}{since}")
