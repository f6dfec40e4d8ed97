"""The section about trust: calibration, review, the promise of the thresholds, and pictures that belong to no class."""

import numpy as np

from common.html import Html, h, scrolling
from training.html.page import note, section
from training.measure.metrics import Bin
from training.report.charts import reliability_chart, review_chart
from training.report.content import ReportInput, percent
from training.report.scores import review_curve


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
