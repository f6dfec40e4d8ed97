"""The section about learning: curves over the epochs, and what more photos bring."""

from common.html import Html, h
from common.page import note, section
from training.html.chart import Chart
from training.html.svg import Frame, axes, dot, line, whisker
from training.measure.learning_curve import CurvePoint
from training.report.charts import learning_charts
from training.report.content import ReportInput, percent


def learning(given: ReportInput) -> Html | None:
    """Accuracy and loss by epoch, and the learning curve; None if the run has neither."""
    charts = [h("figure", drawn.keyed()) for drawn in learning_charts(given.history).values()]
    words = note("The training loss is measured on augmented photos, so it may be higher than the others.")
    more = _more_photos(given.told.curve) if len(given.told.curve) > 1 else None
    if not charts and more is None:
        return None
    epochs = [words, h("div", charts, class_="pair")] if charts else None
    return section("learning", "How it learnt", epochs, more)


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
    return h("figure", h("figcaption", h("h3", "What more photos bring"), note(words)), more_photos_chart(curve).svg(),
             table, class_="half")  # fmt: skip


def more_photos_chart(curve: tuple[CurvePoint, ...]) -> Chart:
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
    return Chart(frame, "Accuracy by photos learnt from", words, parts)
