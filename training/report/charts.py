"""The report's charts: learning curves, reliability, precision against review, and accuracies with their intervals."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import isfinite
from typing import Any

from common.html import Html, h
from training.html.svg import Frame, Point, axes, band, chart, dot, line, whisker
from training.measure.metrics import Bin
from training.report.content import SplitPart, percent
from training.report.scores import ReviewCurve

COLUMN_WORDS = {
    "loss": "training loss",
    "accuracy": "validation accuracy",
    "log_loss": "validation log loss",
    "val_loss": "validation loss",
    "val_accuracy": "validation accuracy",
}


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


def learning_chart(
    series: Mapping[str, Sequence[Point]], kind: str, kept: float | None, starts: Sequence[float] = ()
) -> Html:
    """Curves over the epochs, with marks at the kept epoch and where a stage begins."""
    values = [y for points in series.values() for _, y in points]
    epochs = [x for points in series.values() for x, _ in points]
    room = (max(values) - min(values)) * 0.08 or 0.05
    low, high = max(0.0, min(values) - room), max(values) + room
    frame = Frame((min(epochs), max(*epochs, min(epochs) + 1)), (low, min(high, 1.0) if kind == "accuracy" else high))
    words = "; ".join(f"{name} from {points[0][1]:.3f} to {points[-1][1]:.3f}" for name, points in series.items())
    parts = [axes(frame, "epoch", kind, "y" if kind == "accuracy" else "", whole_x=True)]
    marks = [(start, "fine-tuning begins", "start") for start in starts]
    marks += [] if kept is None else [(kept, f"epoch {kept:g} was kept", "mark")]
    for epoch, said, class_ in marks:
        (x, bottom), (_, top) = frame.at(epoch, frame.y[0]), frame.at(epoch, frame.y[1])
        parts.append(h("line", h("title", said), x1=x, x2=x, y1=bottom, y2=top, class_=class_))
    for number, (name, points) in enumerate(series.items()):
        parts.append(line(frame, points, f"s{number % 4}"))
        if len(points) <= 60:
            parts += [dot(frame, x, y, f"s{number % 4}", f"epoch {x:g}: {name} {y:.4f}", 3.0) for x, y in points]
    return h("div", legend(list(series)), chart(frame, f"{kind} by epoch".capitalize(), words, parts))


def legend(names: Sequence[str]) -> Html:
    """The names of the lines in their colours."""
    return h("p", [h("span", name, class_=f"key s{number % 4}") for number, name in enumerate(names)], class_="legend")


def reliability_chart(bins: Sequence[Bin]) -> Html:
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
    return chart(frame, "Reliability diagram", description, parts)


def pr_chart(curves: Mapping[str, Sequence[Point]]) -> Html:
    """Precision over recall, one line a class."""
    lowest = min(precision for points in curves.values() for _, precision in points)
    frame = Frame((0.0, 1.0), (max(0.0, lowest - 0.03), 1.0), height=380)
    parts = [axes(frame, "recall", "precision", "xy")]
    parts += [line(frame, points, f"s{number % 4}") for number, points in enumerate(curves.values())]
    words = "; ".join(
        f"{name}: precision {percent(points[-1][1])} where all are found" for name, points in curves.items()
    )
    return h("div", legend(list(curves)), chart(frame, "Precision against recall", words, parts))


def review_chart(curve: ReviewCurve, part: SplitPart) -> Html:
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
    if part.sent is not None and not part.sent.all():
        share, right = at_thresholds(part)
        words = f"thresholds of this model: {percent(share)} to review, {percent(right)} of the others right"
        parts.append(dot(frame, share, right, "s1", words, 6.0))
        description += f" With the {words}."
    return chart(frame, "Precision against share sent to review", description, parts)


def at_thresholds(part: SplitPart) -> tuple[float, float]:
    """Return (share sent to review by the thresholds, share of correct photos among the others, which must exist)."""
    if part.sent is None:
        raise ValueError("there are no thresholds")
    kept = ~part.sent
    return float(part.sent.mean()), float((part.predicted == part.true)[kept].mean())
