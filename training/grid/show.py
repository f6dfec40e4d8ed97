"""Format the results of a grid as rows of text, for terminal, page and CSV file."""

import csv
import io
from collections.abc import Sequence

from rich.table import Column, Table
from rich.text import Text

from common.text import cell
from training.grid.names import shown
from training.grid.outcome import CellOutcome
from training.grid.results import GridResults
from training.measure.figures import AVERAGES, SplitFigures
from training.progress import Reporter, duration

DASH = "\N{EN DASH}"


def columns(results: GridResults) -> tuple[str, ...]:
    """Column heads; test photos have a column if any cell measured some, macro recall if classes differ in size."""
    tested = ("test",) if "test" in results.splits else ()
    recall = ("macro recall",) if results.uneven else ()
    return ("cell", "validation", "95 % interval", *recall, "log loss", "macro F1", *tested, "time", "parameters")


def row(outcome: CellOutcome, results: GridResults) -> tuple[str, ...]:
    """A finished cell under `columns`."""
    own, test = outcome.figures["validation"], outcome.figures.get("test")
    tested = (DASH if test is None else f"{test.accuracy:.4f}",) if "test" in results.splits else ()
    recall = (DASH if own.recall is None else f"{own.recall:.4f}",) if results.uneven else ()
    return (
        outcome.cell.name,
        f"{own.accuracy:.4f}",
        f"{own.interval[0]:.3f} to {own.interval[1]:.3f}",
        *recall,
        f"{own.log_loss:.4f}",
        DASH if own.f1 is None else f"{own.f1:.4f}",
        *tested,
        DASH if outcome.seconds is None else duration(outcome.seconds),
        DASH if outcome.parameters is None else size(outcome.parameters),
    )


def size(parameters: int) -> str:
    """A number of parameters in short: `2.26 M`, `840 k`."""
    return f"{parameters / 1e6:.2f} M" if parameters >= 1e6 else f"{parameters / 1e3:.0f} k"


def show(results: GridResults, reporter: Reporter) -> None:
    """Print a table of the cells, the best first, and the failed cells with their reasons."""
    if results.best is not None:
        lines = [columns(results), *(row(outcome, results) for outcome in results.finished)]
        _print_table([_fitting(line, lines, reporter.console.width) for line in lines], reporter)
    for outcome in results.failed:
        reporter.say(f"{outcome.cell.name} failed: {outcome.reason}")
    if results.best is not None:
        reporter.say(f"Best by validation photos: {results.best.cell.name}. Test photos do not influence the ranking.")


def _width(lines: Sequence[Sequence[str]]) -> int:
    """Width of a table of these lines, in characters."""
    return sum(max(map(len, column)) + 3 for column in zip(*lines, strict=True)) + 1


def _fitting(line: Sequence[str], lines: Sequence[Sequence[str]], width: int) -> list[str]:
    """The line, without the less important columns if the whole table is too wide."""
    left_out = ("log loss", "macro F1") if _width(lines) > width else ()
    return [text for name, text in zip(lines[0], line, strict=True) if name not in left_out]


def _print_table(lines: Sequence[Sequence[str]], reporter: Reporter) -> None:
    """Print lines below their heads; names are never wrapped."""
    table = Table(lines[0][0], *(Column(name, justify="right") for name in lines[0][1:]), width=_width(lines))
    for place, line in enumerate(lines[1:]):
        table.add_row(*(Text(text, "bold" if not place else "") for text in line))
    reporter.console.print(table, crop=False)


def csv_text(results: GridResults) -> str:
    """Every cell as a line of CSV, the best first, safe in a spreadsheet."""
    sides = results.splits or ("validation",)
    names = ("accuracy", "low", "high", "log_loss", *AVERAGES)
    text = io.StringIO(newline="")
    out = csv.writer(text)
    figures = [f"{side}_{name}" for side in sides for name in names]
    out.writerow(["cell", "state", *map(cell, results.grid.axes), *figures, "seconds", "parameters", "reason"])
    for outcome in results.outcomes:
        settings = [cell(shown(value)) for value in outcome.cell.options.values()]
        values = [value for side in sides for value in _figures(outcome.figures.get(side))]
        more = ["" if value is None else str(value) for value in (outcome.seconds, outcome.parameters)]
        out.writerow([cell(outcome.cell.name), outcome.state, *settings, *values, *more, cell(outcome.reason)])
    return text.getvalue()


def _figures(given: SplitFigures | None) -> list[str]:
    if given is None:
        return [""] * (4 + len(AVERAGES))
    values = (given.accuracy, *given.interval, given.log_loss, *(getattr(given, name) for name in AVERAGES))
    return ["" if value is None else f"{value:.6f}" for value in values]
