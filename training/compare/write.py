"""Write a comparison into a folder: the page, a plot as PNG, and the changed photos as CSV."""

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING

from common.publish import publish_bytes
from common.text import cell, path_cell
from training.compare.comparison import Comparison
from training.compare.page import page
from training.errors import TrainingError
from training.report.pictures import BLUE, GREEN, ORANGE, PURPLE, clipped, png, tidy, title
from training.report.write import unwritable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAGE, PLOT, CHANGES = "compare.html", "accuracy.png", "changes.csv"


def write_comparison(folder: Path, comparison: Comparison) -> Path:
    """Write compare.html, accuracy.png and changes.csv into `folder`; returns the page's path.

    Raises:
        TrainingError: the folder cannot be written.
    """
    text = page(comparison).encode("utf-8")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        publish_bytes(folder / PAGE, text)
        publish_bytes(folder / PLOT, png(lambda figure: plot(figure, comparison)))
        publish_bytes(folder / CHANGES, changes(comparison).encode("utf-8", "surrogateescape"))
    except OSError as error:
        raise TrainingError(unwritable(folder, error)) from error
    return folder / PAGE


def plot(figure: "Figure", comparison: Comparison) -> None:
    """Accuracies with their 95 % intervals, one row each."""
    figure.set_size_inches(7, 1.6 + 0.5 * len(comparison.compared))
    axes = figure.subplots()
    for place, item in enumerate(reversed(comparison.compared)):
        colour = (BLUE, ORANGE, GREEN, PURPLE)[(len(comparison.compared) - 1 - place) % 4]
        metrics = item.figures
        axes.plot(metrics.interval, [place, place], color=colour, linewidth=3, alpha=0.45)
        axes.plot([metrics.accuracy], [place], "o", color=colour, markersize=9)
    axes.set_yticks(
        range(len(comparison.compared)),
        [clipped(item.name) for item in reversed(comparison.compared)],
        parse_math=False,
    )
    axes.set(ylim=(-0.6, len(comparison.compared) - 0.4), xlabel=f"accuracy on {comparison.words}, 95 % interval")
    title(axes, "Accuracy")
    tidy(axes)


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
