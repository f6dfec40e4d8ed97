"""The report's charts: learning curves, reliability, precision against recall and against review."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from math import isfinite
from typing import Any

from common.html import h
from training.html.chart import Chart, Key
from training.html.svg import Frame, Point, axes, band, clipped, dot, line, whisker
from training.measure.metrics import Bin
from training.report.content import SplitPart, percent
from training.report.scores import ReviewCurve, pr_curve

COLUMN_WORDS = {
    "loss": "training loss",
    "accuracy": "validation accuracy",
    "log_loss": "validation log loss",
    "val_loss": "validation loss",
    "val_accuracy": "validation accuracy",
}
PR_CLASSES = 4  # as many as there are colours

Mark = tuple[float, str, str]
"""An epoch, the class of its upright line, and its meaning."""


def curves(history: Sequence[Mapping[str, Any]], kind: str) -> dict[str, list[Point]]:
    """Columns whose names contain `kind` (`loss` or `accuracy`), as (epoch, value); only numbers."""
    found: dict[str, list[Point]] = {}
    for number, row in enumerate(history):
        epoch = _number(row.get("epoch", number))
        for name, text in row.items():
            value = _number(text)
            if kind in name and isfinite(value) and isfinite(epoch):
                found.setdefault(COLUMN_WORDS.get(name, name.replace("_", " ")), []).append((epoch, value))
    return found


def _number(value: object) -> float:
    try:
        return float(str(value))
    except ValueError:
        return float("nan")


def best_epoch(history: Sequence[Mapping[str, Any]]) -> float | None:
    """The epoch whose weights were kept: the last epoch marked as best so far."""
    best = [_number(row.get("epoch", "")) for row in history if str(row.get("best", "")).lower() in ("true", "1")]
    return best[-1] if best and isfinite(best[-1]) else None


def stage_starts(history: Sequence[Mapping[str, Any]]) -> list[float]:
    """Boundaries between stages on photos, between two epochs; none in older runs without stages."""
    staged = [(_number(row.get("epoch", "")), row["stage"]) for row in history if row.get("stage")]
    trained = [(epoch, stage) for epoch, stage in staged if epoch > 0]  # epoch 0 is before any stage on photos
    return [(one + other) / 2 for (one, a), (other, b) in pairwise(trained) if a != b]


def learning_charts(history: Sequence[Mapping[str, Any]]) -> dict[str, Chart]:
    """Accuracy and loss by epoch, of a history of two epochs or more, with the kept epoch and the start of a stage."""
    kept, starts = best_epoch(history), stage_starts(history)
    marks = [(start, "start", "fine-tuning begins") for start in starts]
    if kept is not None:
        stage = (" of the head" if kept < starts[0] else " of fine-tuning") if kept and starts else ""
        marks.append((kept, "mark", f"epoch {kept:g}{stage}, whose weights were kept"))
    found = {kind: curves(history, kind) for kind in ("accuracy", "loss")}
    return {
        kind: learning_chart(series, kind, marks)
        for kind, series in found.items()
        if any(len(points) > 1 for points in series.values())
    }


def learning_chart(series: Mapping[str, Sequence[Point]], name: str, marks: Sequence[Mark] = ()) -> Chart:
    """Curves over the epochs, with upright marks.

    Args:
        name: of the values; accuracies are shown in per cent.
    """
    values = [y for points in series.values() for _, y in points]
    epochs = [x for points in series.values() for x, _ in points]
    room = (max(values) - min(values)) * 0.08 or 0.05
    low, high = max(0.0, min(values) - room), max(values) + room
    share = "accuracy" in name
    frame = Frame((min(epochs), max(*epochs, min(epochs) + 1)), (low, min(high, 1.0) if share else high))
    words = "; ".join(f"{name} from {points[0][1]:.3f} to {points[-1][1]:.3f}" for name, points in series.items())
    parts = [axes(frame, "epoch", name, "y" if share else "", whole_x=True)]
    for epoch, class_, said in marks:
        (x, bottom), (_, top) = frame.at(epoch, frame.y[0]), frame.at(epoch, frame.y[1])
        parts.append(h("line", h("title", said), x1=x, x2=x, y1=bottom, y2=top, class_=class_))
    for number, (label, points) in enumerate(series.items()):
        parts.append(line(frame, points, f"s{number % 4}"))
        if len(points) <= 60:
            parts += [dot(frame, x, y, f"s{number % 4}", f"epoch {x:g}: {label} {y:.4f}", 3.0) for x, y in points]
    keys = (*line_keys(series), *dict.fromkeys((class_, said) for _, class_, said in marks))
    return Chart(frame, f"{name} by epoch".capitalize(), words, parts, keys)


def line_keys(names: Iterable[str]) -> tuple[Key, ...]:
    """The legend of lines in the order of their colours."""
    return tuple((f"line s{number % 4}", clipped(name)) for number, name in enumerate(names))


def reliability_chart(bins: Sequence[Bin]) -> Chart:
    """Accuracy over confidence; on the diagonal the probabilities are calibrated."""
    frame = Frame((0.0, 1.0), (0.0, 1.0), height=380)
    most = max(item.photos for item in bins)
    parts = [axes(frame, "how sure the model was", "how often it was right", "xy")]
    parts.append(line(frame, [(0, 0), (1, 1)], "ideal"))
    for item in bins:
        words = f"{item.photos:,} photos: {percent(item.confidence)} sure, {percent(item.accuracy)} right"
        parts.append(whisker(frame, item.confidence, *item.interval, "s0"))
        parts.append(dot(frame, item.confidence, item.accuracy, "s0", words, 3 + 9 * (item.photos / most) ** 0.5))
    description = "; ".join(f"{percent(item.confidence, 0)} sure, {percent(item.accuracy, 0)} right" for item in bins)
    return Chart(frame, "Reliability diagram", description, parts)


def pr_chart(part: SplitPart) -> Chart:
    """Precision over recall, one line a class: those with the lowest F1."""
    weakest = sorted((item.f1, place) for place, item in enumerate(part.scores.metrics.classes) if item.photos)
    places = [place for _, place in weakest[:PR_CLASSES]]
    names = [part.scores.metrics.classes[place].label for place in places]
    found = [pr_curve(part.true == place, part.probabilities[:, place]) for place in places]
    lowest = min(precision for points in found for _, precision in points)
    frame = Frame((0.0, 1.0), (max(0.0, lowest - 0.03), 1.0), height=380)
    parts = [axes(frame, "recall", "precision", "xy")]
    parts += [line(frame, points, f"s{number}") for number, points in enumerate(found)]
    ends = [f"{name}: precision {percent(points[-1][1])} where all are found"
            for name, points in zip(names, found, strict=True)]  # fmt: skip
    return Chart(frame, "Precision against recall", "; ".join(ends), parts, line_keys(names))


def review_chart(curve: ReviewCurve, part: SplitPart) -> Chart:
    """Share of correct photos among those not sent to review, against the share sent to review."""
    low = max(0.0, min(float(curve.precision.min()), float(curve.precision[0]) - 0.02) - 0.02)
    frame = Frame((0.0, 1.0), (low, 1.0), height=380)
    xs, ys = curve.share.tolist(), curve.precision.tolist()
    parts = [
        axes(frame, "share of photos sent to review", "right among the others", "xy"),
        band(frame, xs, curve.low.tolist(), curve.high.tolist(), "s0"),
        line(frame, zip(xs, ys, strict=True), "s0"),
    ]
    description = f"Without review {percent(ys[0])} are right."
    keys: tuple[Key, ...] = ()
    if part.sent is not None and not part.sent.all():
        share, right = at_thresholds(part)
        words = f"thresholds of this model: {percent(share)} to review, {percent(right)} of the others right"
        keys = (("dot s1", "this model's own thresholds"),)
        parts.append(dot(frame, share, right, "s1", words, 6.0))
        description += f" With the {words}."
    return Chart(frame, "Precision against share sent to review", description, parts, keys)


def at_thresholds(part: SplitPart) -> tuple[float, float]:
    """Return (share sent to review by the thresholds, share of correct photos among the others, which must exist)."""
    if part.sent is None:
        raise ValueError("there are no thresholds")
    kept = ~part.sent
    return float(part.sent.mean()), float((part.predicted == part.true)[kept].mean())
