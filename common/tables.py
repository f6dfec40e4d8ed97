"""Tables on standard output: fitted to a terminal, and one line a row elsewhere, so that `grep` finds whole names."""

import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.table import Table

_WIDE = 100_000
"""More columns than any table needs, so that nothing is folded."""


def show(table: "Table") -> None:
    """Print a table: as wide as the terminal, or without a terminal one line a row of any width."""
    from rich.console import Console

    if sys.stdout.isatty():
        Console().print(table)
        return
    console = Console(width=_WIDE, color_system=None)
    with console.capture() as capture:
        console.print(table)
    for line in capture.get().splitlines():
        click.echo(line.rstrip())
