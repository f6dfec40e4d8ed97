"""The main figures as PNG files, for slides and mails, drawn by matplotlib without touching its global state."""

import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from contract.publish import publish_bytes
from training.report.charts import at_thresholds, best_epoch, curves
from training.report.content import Part, ReportInput, percent
from training.report.matrix import shown_classes
from training.report.scores import review_curve

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 150
NAME = 24  # characters of a name; longer ones are cut
BLUE, ORANGE, GREEN, PURPLE, GREY = "#1b57b0", "#b03f0c", "#0b6b57", "#77419f", "#565c66"


def write_pictures(folder: Path, given: ReportInput) -> list[Path]:
    """Write learning.png (with a history of two epochs or more), confusion.png, reliability.png and review.png.

    Raises:
        OSError: the folder cannot be written.
    """
    drawn = {"confusion": confusion, "reliability": reliability, "review": review}
    if any(len(points) > 1 for points in curves(given.history, "").values()):
        drawn = {"learning": learning} | drawn
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, draw in drawn.items():
        files.append(folder / f"{name}.png")
        publish_bytes(files[-1], png(lambda figure, draw=draw: draw(figure, given)))  # type: ignore[misc]
    return files


def png(draw: "Callable[[Figure], None]") -> bytes:
    """Draw on a fresh figure and return it as PNG. A script that the font lacks is drawn as boxes, silently."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 5), dpi=DPI, layout="constrained")
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")
        draw(figure)
        figure.savefig(file, format="png")
    return file.getvalue()


def clipped(name: str) -> str:
    """A name that leaves room for the figure."""
    return name if len(name) <= NAME else f"{name[: NAME - 1]}\N{HORIZONTAL ELLIPSIS}"


def tidy(axes: Any) -> None:
    """Only the lines that carry something."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#e4e2da", linewidth=0.8)
    axes.set_axisbelow(True)


def title(axes: Any, text: str) -> None:
    """A title as it is written: a dollar in a name begins no formula."""
    axes.set_title(text, loc="left", fontweight="bold", parse_math=False)


def learning(figure: "Figure", given: ReportInput) -> None:
    """Accuracies and losses by epoch, one above the other."""
    kinds = [kind for kind in ("accuracy", "loss") if curves(given.history, kind)]
    kept = best_epoch(given.history)
    for axes, kind in zip(np.ravel(figure.subplots(len(kinds), 1, sharex=True)), kinds, strict=True):
        for colour, (name, points) in zip(
            (BLUE, ORANGE, GREEN, PURPLE) * 9, curves(given.history, kind).items(), strict=False
        ):
            axes.plot(*zip(*points, strict=True), color=colour, marker="o", markersize=3, label=name)
        if kept is not None:
            axes.axvline(kept, color=GREY, linestyle="--", linewidth=1)
        axes.set_ylabel(kind)
        axes.legend(frameon=False)
        tidy(axes)
    axes.set_xlabel("epoch")


def confusion(figure: "Figure", given: ReportInput) -> None:
    """The confusion matrix as shares of each row, with the numbers of photos in it."""
    part = given.parts[0]
    counts = np.array(part.scores.metrics.confusion)
    chosen = shown_classes(counts)
    shares = (counts / np.maximum(1, counts.sum(axis=1, keepdims=True)))[np.ix_(chosen, chosen)]
    counts, names = counts[np.ix_(chosen, chosen)], [clipped(given.labels[index]) for index in chosen]
    side = max(5.0, 2.0 + 0.55 * len(chosen))
    figure.set_size_inches(side + 1, side)
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right", rotation_mode="anchor", parse_math=False)
    axes.set_yticks(range(len(names)), names, parse_math=False)
    for row, column in np.argwhere(counts):
        colour = "white" if shares[row, column] > 0.5 else "black"
        axes.text(column, row, f"{counts[row, column]}", ha="center", va="center", color=colour, fontsize=9)
    axes.set(xlabel="taken for", ylabel="is")
    title(axes, _accuracy(part))


def _accuracy(part: Part) -> str:
    return f"{percent(part.scores.metrics.accuracy)} of {part.scores.metrics.photos:,} {part.words} right"


def reliability(figure: "Figure", given: ReportInput) -> None:
    """How often photos of a confidence are right."""
    part = given.parts[0]
    bins = part.scores.bins
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1)
    for item in bins:
        axes.plot([item.confidence] * 2, item.interval, color=BLUE, linewidth=1.5, alpha=0.5)
    sizes = [20 + 200 * item.photos / max(item.photos for item in bins) for item in bins]
    axes.scatter([item.confidence for item in bins], [item.accuracy for item in bins], sizes, color=BLUE, zorder=3)
    axes.set(xlim=(0, 1.02), ylim=(0, 1.02), xlabel="how sure the model was", ylabel="how often it was right")
    title(axes, f"Calibration error {part.scores.calibration_error:.3f}")
    tidy(axes)


def review(figure: "Figure", given: ReportInput) -> None:
    """Share of right ones among what is filed by itself, against the share sent to review."""
    part = given.parts[0]
    curve = review_curve(part.true, part.probabilities)
    axes = figure.subplots()
    axes.fill_between(curve.share, curve.low, curve.high, color=BLUE, alpha=0.15, linewidth=0)
    axes.plot(curve.share, curve.precision, color=BLUE)
    if part.sent is not None and not part.sent.all():
        axes.plot(*at_thresholds(part), "o", color=ORANGE, markersize=9, label="this model's thresholds")
        axes.legend(frameon=False, loc="lower right")
    axes.set(xlim=(0, 1), ylim=(max(0.0, curve.precision.min() - 0.03), 1.003))
    axes.set(xlabel="share of photos sent to review", ylabel="right among the others")
    title(axes, "Precision against review")
    tidy(axes)
