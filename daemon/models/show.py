"""The history of models as a table and as JSON."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from common.tables import show
from common.text import printable
from daemon.models.history import Entry
from daemon.process.clock import local


def facts(entry: Entry) -> dict[str, Any]:
    """Return a row for scripts."""
    return {
        "at": local(entry.at_s).isoformat(timespec="milliseconds"),
        "what": entry.what.value,
        "file": str(entry.file),
        "sha256": entry.sha256,
        "labels": entry.labels,
        "reason": entry.reason,
        "before": str(entry.before),
        "over": entry.over,
    }


def print_json(found: Iterable[Entry], state: Path) -> None:
    """Print one object a line, which names the state folder too."""
    for entry in found:
        click.echo(json.dumps(facts(entry) | {"state": str(state)}))


def print_table(found: list[Entry]) -> None:
    """Print one line per row."""
    from rich.table import Table
    from rich.text import Text

    if not found:
        click.echo("The ledger names no model yet. A daemon records its model when it starts.", err=True)
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("when", no_wrap=True)
    table.add_column("what", no_wrap=True)
    table.add_column("model", overflow="fold", max_width=32)
    table.add_column("knows, or why not", overflow="fold")
    for entry in found:
        about = entry.reason or ", ".join(entry.labels)
        when = f"{local(entry.at_s):%Y-%m-%d %H:%M:%S}"
        cells = (when, entry.what.value, entry.file.name, about)
        table.add_row(*(Text(printable(cell)) for cell in cells))
    show(table)
