"""Print a comparison, and format what is compared as rows of text, also for the page."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from training.compare.comparison import Comparison
from training.compare.sources import Compared
from training.progress import duration

DASH, INTERVAL = "\N{EN DASH}", "95 % interval"


def columns(comparison: Comparison) -> tuple[str, ...]:
    """Column heads; macro recall stands beside the accuracy where classes differ much in size."""
    recall = ("macro recall",) if comparison.uneven else ()
    return ("name", "what it is", "photos", "accuracy", INTERVAL, *recall, "log loss", "calibration error",
            "macro F1", "size", "time")  # fmt: skip


def row(item: Compared, comparison: Comparison) -> tuple[str, ...]:
    """One of them under `columns`."""
    own = item.figures
    recall = (_figure(own.recall),) if comparison.uneven else ()
    return (
        item.name,
        item.what or item.kind,
        f"{own.photos:,}",
        f"{own.accuracy:.4f}",
        f"{own.interval[0]:.3f} to {own.interval[1]:.3f}",
        *recall,
        *map(_figure, (own.log_loss, own.calibration_error, own.f1)),
        DASH if item.size_bytes is None else f"{item.size_bytes / 1e6:.1f} MB",
        DASH if item.seconds is None else duration(item.seconds),
    )


def _figure(value: float | None) -> str:
    return DASH if value is None else f"{value:.4f}"


def show(comparison: Comparison, console: Console) -> None:
    """Print a table of what is compared and of differing settings, and a sentence for each pair."""
    table = Table(comparison.words)
    for item in comparison.compared:
        table.add_column(Text(item.name), justify="right")
    best = [item.figures.accuracy == comparison.best for item in comparison.compared]
    rows = (row(item, comparison) for item in comparison.compared)
    for name, *values in list(zip(columns(comparison), *rows, strict=True))[1:]:
        bold = name == "accuracy"
        table.add_row(
            name, *(Text(text, "bold" if bold and top else "") for text, top in zip(values, best, strict=True))
        )
    table.add_section()
    for name, values in comparison.settings:
        table.add_row(Text(name), *map(Text, values))
    console.print(table)
    for line in (*(pair.sentence() for pair in comparison.pairs), *comparison.notes):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
