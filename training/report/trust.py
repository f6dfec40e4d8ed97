"""The sections about trust: calibration, review, the promise of the thresholds, and what belongs to no class."""

from pathlib import Path

import numpy as np

from common.html import Html, h, scrolling
from common.page import note, section
from contract.pages.thumbnails import Thumbnails, picture
from training.html.chart import Chart
from training.html.svg import Frame, axes, line
from training.measure.metrics import Bin
from training.report.charts import reliability_chart, review_chart
from training.report.content import ReportInput, percent
from training.report.scores import review_curve
from training.report.told import ToldFamiliarity


def trust(given: ReportInput) -> Html:
    """Reliability diagram, the effect of review, what the thresholds promise, and what happens to foreign pictures."""
    part = given.parts[0]
    reliable = h(
        "figure",
        h("figcaption", h("h3", "Does it know when it is right?"), note(_reliability_words())),
        reliability_chart(part.scores.bins).svg(),
        _bin_table(part.scores.bins),
    )
    curve = review_curve(part.true, part.probabilities)
    words = "The least sure photos go to people first; the band is the 95 % interval."
    rows = [
        h("tr", h("td", percent(float(curve.share[place]))), h("td", percent(float(curve.precision[place]))))
        for place in sorted({int(np.abs(curve.share - wanted).argmin()) for wanted in (0, 0.05, 0.1, 0.2, 0.3, 0.5)})
    ]
    head = h("tr", h("th", "sent to review", scope="col"), h("th", "right among the others", scope="col"))
    table = h("details", h("summary", "As a table"), h("table", head, rows, class_="small"))
    review = h(
        "figure",
        h("figcaption", h("h3", "What review brings"), note(words)),
        review_chart(curve, part).keyed(),
        table,
    )
    return section("trust", "How far to trust it", promise(given), h("div", reliable, review, class_="pair"),
                   foreign(given))  # fmt: skip


def _reliability_words() -> str:
    return (
        "On the diagonal, a photo that the model is 80 % sure of is right in 80 of 100 cases. Larger dots: more photos;"
        " lines: 95 % intervals."
    )


def _bin_table(bins: tuple[Bin, ...]) -> Html:
    head = h("tr", [h("th", name, scope="col") for name in ("photos", "how sure", "how often right")])
    rows = [
        h("tr", h("td", f"{item.photos:,}"), h("td", percent(item.confidence)), h("td", percent(item.accuracy)))
        for item in bins
    ]
    return h("details", h("summary", "As a table"), h("table", head, rows, class_="small"))


def promise(given: ReportInput) -> Html | None:
    """What the thresholds are expected to hold on new photos, with its interval; None if the run does not say."""
    found = given.told.promise
    if found is None:
        return None
    words = []
    if found.precision is not None:
        interval = f" (95 % interval {' to '.join(map(percent, found.interval))})" if found.interval else ""
        words.append(
            f"Of the photos that the thresholds let pass, {percent(found.precision)} are expected to be right"
            f"{interval}."
        )
    if found.coverage is not None:
        words.append(f"They let {percent(found.coverage)} of the photos pass, and send the others to review.")
    items = h("ul", [h("li", sentence) for sentence in (*words, *found.sentences)], class_="glance")
    return h("div", h("h3", "What the thresholds promise"), items, class_="promise")


def foreign(given: ReportInput) -> Html | None:
    """How often pictures that belong to no class are filed as one; None if the run does not say."""
    if not given.told.foreign:
        return None
    names = ("pictures of", "photos", "filed as a class", "95 % interval")
    head = h("tr", [h("th", name, scope="col", class_="number" if place else "") for place, name in enumerate(names)])
    rows = [
        h("tr", h("th", item.kind, scope="row"),
          [h("td", text, class_="number")
           for text in (f"{item.photos:,}", percent(item.filed), " to ".join(map(percent, item.interval)))])
        for item in given.told.foreign
    ]  # fmt: skip
    table = h("table", h("thead", head), h("tbody", rows), class_="figures")
    words = note("Pictures that belong to no class should go to review. These were filed as a class all the same.")
    return h("div", h("h3", "Pictures that belong to no class"), words, scrolling(table, "Foreign pictures"))


def familiar(given: ReportInput, thumbs: Thumbnails) -> Html | None:
    """Histogram, promise and the least familiar photos; None if the run does not tell."""
    told = given.told.familiarity
    if told is None:
        return None
    if told.kept_at_least is None:
        promise = f"{told.photos:,} photos are too few to promise how many good ones go to review for it."
    else:
        promise = f"At most {percent(1 - told.kept_at_least)} of good photos go to review for it (95 % certain)."
    words = f"A photo below {told.threshold:.3f} is unlike all photos learnt from, and goes to review. {promise}"
    chart = h("figure", h("figcaption", h("h3", "How familiar its own photos are")), familiarity_chart(told).svg())
    photos = [(given.root / name, name, value) for name, value in told.least]
    thumbs.want(path for path, _, _ in photos)
    figures = [h("li", _figure(path, name, value, told, thumbs)) for path, name, value in photos]
    least = h("div", h("h3", "Least familiar photos of its classes"), h("ul", figures, class_="photos"))
    return section("familiar", "Does it know what it does not know?", note(words), chart, least)


def _figure(path: Path, name: str, value: float, told: ToldFamiliarity, thumbs: Thumbnails) -> Html:
    below = h("b", "review", class_="wrong") if value < told.threshold else h("b", "kept", class_="right")
    return h(
        "figure",
        picture(thumbs.of(path), f"{name}: familiarity {value:.3f}"),
        h(
            "figcaption",
            h("span", below, f" {value:.3f}", class_="verdict"),
            h("span", name, class_="path", title=name),
        ),
    )


def familiarity_chart(told: ToldFamiliarity) -> Chart:
    """Number of photos over their familiarity, with the threshold."""
    edges = [told.low + place * told.step for place in range(len(told.counts) + 1)]
    most = float(max(told.counts))
    left, right = min(edges[0], told.threshold), max(edges[-1], told.threshold)
    frame = Frame((left, right), (0.0, most * 1.05), height=300)
    steps = [(edges[0], 0.0)]
    for place, count in enumerate(told.counts):
        steps += [(edges[place], float(count)), (edges[place + 1], float(count))]
    steps.append((edges[-1], 0.0))
    parts = [
        axes(frame, "familiarity", "photos"),
        line(frame, steps, "s0"),
        line(frame, [(told.threshold, 0.0), (told.threshold, most)], "mark"),
    ]
    words = f"{told.photos:,} photos from {edges[0]:.2f} to {edges[-1]:.2f}; the threshold is {told.threshold:.3f}"
    return Chart(frame, "Familiarity of the photos of the classes", words, parts)
