"""The main figures as PNG files, for slides and mails, drawn by matplotlib without touching its global state."""

import io
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from common.publish import publish_bytes
from training.report.charts import at_thresholds, best_epoch, curves, stage_starts
from training.report.content import ReportInput, SplitPart, percent
from training.report.matrix import shown_classes
from training.report.scores import review_curve

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 150
CLASSES = 40
NAME = 24  # characters of a name; longer ones are cut
BLUE, ORANGE, GREEN, PURPLE, GREY = "#1b57b0", "#b03f0c", "#0b6b57", "#77419f", "#565c66"


def write_pictures(folder: Path, given: ReportInput) -> list[Path]:
    """Write accuracy.png and loss.png (of a history of two epochs or more), confusion, classes, reliability and review.

    Raises:
        OSError: the folder cannot be written.
    """
    drawn = {"confusion": confusion, "classes": classes, "reliability": reliability, "review": review}
    for kind in ("loss", "accuracy"):
        if any(len(points) > 1 for points in curves(given.history, kind).values()):
            drawn = {kind: partial(learning, kind=kind)} | drawn
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, draw in drawn.items():
        files.append(folder / f"{name}.png")
        publish_bytes(files[-1], png(partial(draw, given=given)))
    return files


def png(draw: "Callable[[Figure], None]") -> bytes:
    """Draw on a new figure and return it as PNG. Characters that the font lacks become boxes, without a warning."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 5), dpi=DPI, layout="constrained")
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")
        draw(figure)
        figure.savefig(file, format="png")
    return file.getvalue()


def clipped(name: str) -> str:
    """Shorten a name to leave room for the figure."""
    return name if len(name) <= NAME else f"{name[: NAME - 1]}\N{HORIZONTAL ELLIPSIS}"


def tidy(axes: Any) -> None:
    """Show only lines that carry information."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#e4e2da", linewidth=0.8)
    axes.set_axisbelow(True)


def title(axes: Any, text: str) -> None:
    """Set a title as plain text: a dollar sign in a name does not start a formula."""
    axes.set_title(text, loc="left", fontweight="bold", parse_math=False)


def learning(figure: "Figure", given: ReportInput, kind: str) -> None:
    """Accuracies, or losses, by epoch."""
    axes = figure.subplots()
    colours = (BLUE, ORANGE, GREEN, PURPLE) * 9
    for colour, (name, points) in zip(colours, curves(given.history, kind).items(), strict=False):
        axes.plot(*zip(*points, strict=True), color=colour, marker="o", markersize=3, label=name)
    kept = best_epoch(given.history)
    if kept is not None:
        axes.axvline(kept, color=GREY, linestyle="--", linewidth=1, label=f"epoch {kept:g}, whose weights were kept")
    for start in stage_starts(given.history):
        axes.axvline(start, color=GREY, linestyle=":", linewidth=1.5, label="fine-tuning begins")
    axes.set(xlabel="epoch", ylabel=kind)
    axes.locator_params(axis="x", integer=True)
    axes.legend(frameon=False)
    title(axes, f"{kind} by epoch".capitalize())
    tidy(axes)


def classes(figure: "Figure", given: ReportInput) -> None:
    """Precision, recall and F1 of each class, the best F1 on top; of many classes, those with the lowest F1."""
    part = given.parts[0]
    ranked = sorted(part.scores.metrics.classes, key=lambda item: item.f1)
    shown = ranked[:CLASSES]
    figure.set_size_inches(7, 1.8 + 0.42 * len(shown))
    axes = figure.subplots()
    for place, item in enumerate(shown):
        axes.plot([item.precision, item.recall], [place, place], color=GREY, linewidth=2, alpha=0.4, zorder=1)
    marks = (("precision", BLUE, "o"), ("recall", ORANGE, "s"), ("f1", GREEN, "d"))
    for name, colour, marker in marks:
        values = [getattr(item, name) for item in shown]
        axes.scatter(
            values, range(len(shown)), 46, color=colour, marker=marker, label=name.replace("f1", "F1"), zorder=3
        )
    axes.set_yticks(range(len(shown)), [f"{clipped(item.label)} ({item.photos:,})" for item in shown], parse_math=False)
    least = min(min(item.precision, item.recall) for item in shown)
    axes.set(xlim=(max(0.0, least - 0.05), 1.01), ylim=(-0.6, len(shown) - 0.4))
    axes.legend(frameon=False, ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.3 / figure.get_figheight()))
    few = f", the {CLASSES} of lowest F1" if len(ranked) > CLASSES else ""
    title(axes, f"Each class of {part.scores.metrics.photos:,} {part.words}{few}")
    tidy(axes)


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


def _accuracy(part: SplitPart) -> str:
    return f"{percent(part.scores.metrics.accuracy)} of {part.scores.metrics.photos:,} {part.words} right"


def reliability(figure: "Figure", given: ReportInput) -> None:
    """Accuracy over confidence."""
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
    """Share of correct photos among those not sent to review, against the share sent to review."""
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
