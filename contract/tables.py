"""Tables on standard output: fitted to a terminal, and one line a row elsewhere: `grep` finds no folded name."""

import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.table import Table

_WIDE = 100_000
"""Columns that no table needs: nothing is folded."""


def show(table: "Table") -> None:
    """Print a table: as wide as the terminal, and where there is none one line a row, however wide it is."""
    from rich.console import Console

    if sys.stdout.isatty():
        Console().print(table)
        return
    console = Console(width=_WIDE, color_system=None)
    with console.capture() as capture:
        console.print(table)
    for line in capture.get().splitlines():
        click.echo(line.rstrip())
