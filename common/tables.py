"""Tables on standard output: fitted to a terminal, and one line a row elsewhere, so that `grep` finds whole names."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

PART = 1_000
"""How many rows of a long table are in memory at once."""
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


def show_parts(table: "Callable[[], Table]", rows: "Iterable[Sequence[Text]]") -> bool:
    """Print a table of any length, part by part; returns whether it has rows. Without rows nothing is printed.

    Args:
        table: returns the table without rows. Its title and headings stand above the first part only.
        rows: one sequence of cells for each row.
    """
    left: Iterator[Sequence[Text]] = iter(rows)
    first = True
    while some := list(islice(left, PART)):
        part = table()
        if not first:
            part.title, part.show_header = None, False
        for row in some:
            part.add_row(*row)
        show(part)
        first = False
    return not first
