"""Print a comparison, and format its runs as rows of text, also for the page."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from training.compare.comparison import Comparison
from training.compare.runs import ComparedRun
from training.progress import duration

DASH = "\N{EN DASH}"
COLUMNS = ("run", "photos", "accuracy", "95 % interval", "log loss", "calibration error", "macro F1", "size", "time")


def row(run: ComparedRun) -> tuple[str, ...]:
    """One run under `COLUMNS`."""
    scores = run.part.scores
    low, high = scores.metrics.interval
    return (
        run.name,
        f"{scores.metrics.photos:,}",
        f"{scores.metrics.accuracy:.4f}",
        f"{low:.3f} to {high:.3f}",
        f"{scores.metrics.log_loss:.4f}",
        f"{scores.calibration_error:.4f}",
        f"{scores.macro_f1:.4f}",
        DASH if run.size_bytes is None else f"{run.size_bytes / 1e6:.1f} MB",
        DASH if run.seconds is None else duration(run.seconds),
    )


def show(comparison: Comparison, console: Console) -> None:
    """Print a table of runs and differing settings, and a sentence for each pair."""
    table = Table(comparison.words)
    for run in comparison.runs:
        table.add_column(Text(run.name), justify="right")
    best = [run.part.scores.metrics.accuracy == comparison.best for run in comparison.runs]
    for name, *values in list(zip(COLUMNS, *map(row, comparison.runs), strict=True))[1:]:
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
