"""Write a comparison into a folder: the page, its charts as SVG, and the changed photos as CSV."""

import csv
import io
from pathlib import Path

from common.publish import publish_bytes
from common.text import cell, path_cell
from training.compare.comparison import Comparison
from training.compare.intervals import Row, interval_chart
from training.compare.page import curves_of, page
from training.errors import TrainingError
from training.html.chart import FIGURES, Chart, write_charts
from training.report.write import unwritable

PAGE, CHANGES = "compare.html", "changes.csv"


def write_comparison(folder: Path, comparison: Comparison) -> Path:
    """Write compare.html, figures/*.svg and changes.csv into `folder`; returns the page's path.

    Raises:
        TrainingError: the folder cannot be written.
    """
    text = page(comparison).encode("utf-8")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        publish_bytes(folder / PAGE, text)
        write_charts(folder / FIGURES, charts(comparison))
        publish_bytes(folder / CHANGES, changes(comparison).encode("utf-8", "surrogateescape"))
    except OSError as error:
        raise TrainingError(unwritable(folder, error)) from error
    return folder / PAGE


def charts(comparison: Comparison) -> dict[str, Chart]:
    """The accuracies with their 95 % intervals, and the curves of the page, by name."""
    rows = [Row(item.name, item.figures.accuracy, item.figures.interval, number % 4)
            for number, item in enumerate(comparison.compared)]  # fmt: skip
    found = {"accuracy": interval_chart(f"Accuracy on {comparison.words}, with its 95 % interval", rows)}
    return found | {name.replace(" ", "-"): drawn for name, drawn in curves_of(comparison.compared).items()}


def changes(comparison: Comparison) -> str:
    """Every changed photo as CSV, one a line, safe in a spreadsheet."""
    text = io.StringIO(newline="")
    out = csv.writer(text)
    out.writerow(["path", "true", "change", "reference", "taken for", "run", "taken for"])
    for pair in comparison.pairs:
        for kind, changed in (("gained", pair.gained), ("lost", pair.lost)):
            for item in changed:
                taken = cell(pair.reference), cell(item.before[0]), cell(pair.other), cell(item.after[0])
                out.writerow([path_cell(item.photo, pair.root), cell(item.true), kind, *taken])
    return text.getvalue()
