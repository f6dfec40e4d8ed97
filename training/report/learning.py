"""The section about learning: curves over the epochs, and what more photos bring."""

from common.html import Html, h
from training.html.page import note, section
from training.html.svg import Frame, axes, chart, dot, line, whisker
from training.measure.learning_curve import CurvePoint
from training.report.charts import best_epoch, curves, learning_chart, stage_starts
from training.report.content import ReportInput, percent


def learning(given: ReportInput) -> Html | None:
    """Accuracy and loss by epoch, and the learning curve; None if the run has neither."""
    charts = []
    kept, starts = best_epoch(given.history), stage_starts(given.history)
    for kind in ("accuracy", "loss"):
        series = curves(given.history, kind)
        if any(len(points) > 1 for points in series.values()):
            charts.append(h("figure", learning_chart(series, kind, kept, starts)))
    epochs = None
    if charts:
        stage = (" of the head" if kept < starts[0] else " of fine-tuning") if kept and starts else ""
        said = "" if kept is None else f" The dashed line marks epoch {kept:g}{stage}, whose weights were kept."
        said += " The dotted line is where fine-tuning begins." if starts else ""
        epochs = note(f"The training loss is measured on augmented photos, so it may be higher than the others.{said}")
    more = _more_photos(given.told.curve) if len(given.told.curve) > 1 else None
    if not charts and more is None:
        return None
    return section("learning", "How it learnt", epochs, h("div", charts, class_="pair") if charts else None, more)


def _more_photos(curve: tuple[CurvePoint, ...]) -> Html:
    before, last = curve[-2:]
    gain = 100 * (last.accuracy - before.accuracy)
    change = f"rose by {gain:.1f}" if gain > 0 else f"fell by {-gain:.1f}" if gain < 0 else "changed by 0.0"
    words = (
        f"A head that learns from a share of the photos, measured on photos that it has not seen; lines: 95 %"
        f" intervals. From {percent(before.share, 0)} to {percent(last.share, 0)} of the photos, the accuracy {change}"
        " points."
    )
    if gain > 0:
        words += " Twice the photos usually bring less than that."
    rows = [
        h(
            "tr",
            h("td", f"{item.photos:,}"),
            h("td", percent(item.accuracy)),
            h("td", " to ".join(map(percent, item.interval))),
        )
        for item in curve
    ]
    head = h("tr", [h("th", name, scope="col") for name in ("photos learnt from", "accuracy", "95 % interval")])
    table = h("details", h("summary", "As a table"), h("table", head, rows, class_="small"))
    return h("figure", h("figcaption", h("h3", "What more photos bring"), note(words)), more_photos_chart(curve), table,
             class_="half")  # fmt: skip


def more_photos_chart(curve: tuple[CurvePoint, ...]) -> Html:
    """Accuracy over the number of photos learnt from."""
    low = max(0.0, min(item.interval[0] for item in curve) - 0.02)
    high = min(1.0, max(item.interval[1] for item in curve) + 0.02)
    frame = Frame((0.0, curve[-1].photos * 1.05), (low, high))
    parts = [axes(frame, "photos learnt from", "accuracy", "y", whole_x=True)]
    parts.append(line(frame, [(item.photos, item.accuracy) for item in curve], "s0"))
    for item in curve:
        parts.append(whisker(frame, item.photos, *item.interval, "s0"))
        parts.append(dot(frame, item.photos, item.accuracy, "s0", f"{item.photos:,} photos: {percent(item.accuracy)}"))
    words = "; ".join(f"{item.photos:,} photos, {percent(item.accuracy)}" for item in curve)
    return chart(frame, "Accuracy by photos learnt from", words, parts)
