"""`phototriage history`: what was filed when and where, as a table, as JSON lines, or as CSV."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import click

from contract.tables import show
from contract.text import printable
from daemon.files.identity import photo_id
from daemon.ledger.queries import MOVED, Record, RecordFilter, select
from daemon.ledger.reading import find_ledgers, reading, root_of
from daemon.photo import Mode
from daemon.process.clock import local

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What makes a spreadsheet take a cell for a formula, and run it."""


Told = tuple[Path | None, Record]
"""A row, and the inbox whose it is."""


def ask(inbox: Path | None, which: RecordFilter, limit: int) -> Iterator[Told]:
    """Yield the rows that are wanted, ledger by ledger, youngest first.

    Args:
        inbox: whose ledger; None for all that are found.
        which: rows are wanted.
        limit: for each ledger; negative for none.
    """
    for path in find_ledgers(inbox):
        with reading(path) as connection:
            root = root_of(connection, "inbox")
            for record in select(connection, which, limit):
                yield root, record


def facts(inbox: Path | None, record: Record) -> dict[str, Any]:
    """Return a row for scripts; paths are as they are in the file system, with escapes for what is no UTF-8."""
    intent = record.intent
    return {
        "inbox": str(inbox) if inbox else None,
        "at": local(record.at_s).isoformat(timespec="milliseconds"),
        "id": photo_id(intent.identity),
        "batch": record.batch,
        "state": record.state,
        "path": str(intent.source),
        "destination": str(intent.destination),
        "label": intent.label,
        "probability": round(intent.probability, 6),
        "threshold": round(intent.threshold, 6),
        "reason": intent.reason,
        "mode": intent.mode.value,
        "taken_back": record.taken_back,
        "sha256": intent.sha256,
        "model": intent.model,
        "provider": intent.provider,
        "top": dict(intent.top or {}),
        "times_ms": dict(intent.times_ms or {}),
    }


def print_json(told: Iterable[Told]) -> None:
    """Print one object a line."""
    for inbox, record in told:
        click.echo(json.dumps(facts(inbox, record)))


def print_csv(told: Iterable[Told]) -> None:
    """Print a header and one line per row, without what has no cell; no cell is taken for a formula."""
    headed = False
    for inbox, record in told:
        cells = {name: value for name, value in facts(inbox, record).items() if not isinstance(value, dict)}
        if not headed:
            click.echo(_line(cells), nl=False)
            headed = True
        click.echo(_line(map(_cell, cells.values())), nl=False)


def _line(cells: Iterable[Any]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(cells)
    return out.getvalue()


def _cell(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if value.startswith(FORMULA) else text


def print_table(told: Iterable[Told]) -> None:
    """Print a table per inbox, youngest first; of places the last folder alone, for `explain` shows all of them."""
    from rich.table import Table
    from rich.text import Text

    shown = False
    for inbox, rows in groupby(told, key=lambda row: row[0]):
        shown = True
        table = Table(title=printable(inbox or "?"), title_justify="left", box=None, pad_edge=False)
        table.add_column("when", no_wrap=True)
        table.add_column("batch", justify="right")
        for heading in ("photo", "what", "where"):
            table.add_column(heading, overflow="fold")
        for _, record in rows:
            table.add_row(*map(Text, _cells(record)))
        show(table)
    if not shown:
        click.echo("Nothing of that kind is in the ledger.", err=True)


def _cells(record: Record) -> Iterator[str]:
    yield f"{local(record.at_s):%Y-%m-%d %H:%M:%S}"
    yield str(record.batch)
    yield printable(record.intent.source.name)
    yield what(record)
    yield printable(Path(record.intent.destination.parent.name, record.intent.destination.name))


def what(record: Record) -> str:
    """Say in a few words what became of a photo."""
    intent = record.intent
    sure = f" {intent.label} {intent.probability:.2f}" if intent.label else ""
    how = f" ({intent.mode})" if intent.mode is not Mode.MOVE else ""
    since = ", taken back" if record.taken_back and record.state in MOVED else ""
    return printable(f"{record.state}{sure}{how}{since}")
