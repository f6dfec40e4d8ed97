"""The report's page, from top to bottom."""

from itertools import islice

import numpy as np

from common.html import Html, h
from training.html.page import framed, note, section
from training.html.thumbnails import Thumbnails
from training.measure.metrics import Bin
from training.report.charts import best_epoch, curves, learning_chart, reliability_chart, review_chart, stage_starts
from training.report.content import ReportInput, count, percent
from training.report.gallery import WORST, gallery, worst_mistakes
from training.report.matrix import NARROW, PAIRS, cells, confusions, matrix_table, pair_list, panels, shown_classes
from training.report.scores import review_curve
from training.report.sections import card, class_table, data, glance, hero, meanings, steps
from training.report.splits import split_table

THUMBNAILS = 480


def page(given: ReportInput) -> str:
    """The whole report as one self-contained HTML file."""
    thumbs = Thumbnails(THUMBNAILS)
    sections = [
        ("glance", "At a glance", glance(given)),
        ("mistakes", "Worst mistakes", _mistakes(given, thumbs)),
        ("learning", "Learning", _learning(given)),
        ("confusion", "Confusion", _confusion(given, thumbs)),
        ("trust", "Trust", _trust(given)),
        ("classes", "Classes", class_table(given, split_table(given))),
        ("data", "Data", data(given, thumbs)),
        ("card", "Model card", card(given) if given.card or given.recipe else None),
        ("next", "Next", steps(given.steps) if given.steps else None),
    ]
    kept = [(name, title, body) for name, title, body in sections if body is not None]
    # The worst mistakes are made first, so that they get pictures within the limit, and shown after the matrix.
    kept.sort(key=lambda item: _ORDER.index(item[0]))
    return framed(given.title, given.source, kept, hero(given), meanings())


_ORDER = ("glance", "learning", "confusion", "mistakes", "trust", "classes", "data", "card", "next")


def _mistakes(given: ReportInput, thumbs: Thumbnails) -> Html:
    part = given.parts[0]
    wrong = worst_mistakes(part)
    if not len(wrong):
        return section("mistakes", "Worst mistakes", note("There are none to show."))
    shown = [int(number) for number in wrong[:WORST]]
    thumbs.want(part.photos[number] for number in shown)
    said = f"All {count(len(wrong), 'mistake')}, the surest first"
    if len(wrong) > WORST:
        said = f"The {len(shown)} of {count(len(wrong), 'mistake')} that the model was surest of"
    words = note(f"{said}: each with what it was taken for and what it is. Some may be labelled wrongly.")
    return section("mistakes", "Worst mistakes", words, gallery(shown, part, given, thumbs))


def _learning(given: ReportInput) -> Html | None:
    charts = []
    kept, starts = best_epoch(given.history), stage_starts(given.history)
    for kind in ("accuracy", "loss"):
        series = curves(given.history, kind)
        if any(len(points) > 1 for points in series.values()):
            charts.append(h("figure", learning_chart(series, kind, kept, starts)))
    if not charts:
        return None
    stage = (" of the head" if kept < starts[0] else " of fine-tuning") if kept and starts else ""
    said = "" if kept is None else f" The dashed line marks epoch {kept:g}{stage}, whose weights were kept."
    said += " The dotted line is where fine-tuning begins." if starts else ""
    words = note(f"The training loss is measured on augmented photos, so it may be higher than the others.{said}")
    return section("learning", "How it learnt", words, h("div", charts, class_="pair"))


def _confusion(given: ReportInput, thumbs: Thumbnails) -> Html:
    part = given.parts[0]
    confusion = np.array(part.scores.metrics.confusion, np.int64)
    shown = shown_classes(confusion)
    words = "Rows are what the photos are, columns what they were taken for. Follow a number to see its photos."
    left = len(given.labels) - len(shown)
    if left:
        words += f" Shown are the {len(shown)} classes with the most mistakes; {left:,} others are left out."
    pairs = list(islice(confusions(confusion), PAIRS))
    beside = h("div", h("h3", "Most frequent mistakes"), pair_list(pairs, given.labels)) if pairs else None
    table = matrix_table(confusion, shown, given.labels)
    place = "matrix-side" if pairs and len(shown) <= NARROW else "matrix-above"
    behind = panels(cells(part, shown, pairs), part, given, confusion, thumbs)
    return section("confusion", "What is taken for what", note(words), h("div", table, beside, class_=place), behind)


def _trust(given: ReportInput) -> Html:
    part = given.parts[0]
    reliable = h(
        "figure",
        h("figcaption", h("h3", "Does it know when it is right?"), note(_reliability_words())),
        reliability_chart(part.scores.bins),
        _bin_table(part.scores.bins),
    )
    curve = review_curve(part.true, part.probabilities)
    own = " The large dot is where this model's own thresholds stand." if part.sent is not None else ""
    words = f"The least sure photos go to people first; the band is the 95 % interval.{own}"
    rows = [
        h("tr", h("td", percent(float(curve.share[place]))), h("td", percent(float(curve.precision[place]))))
        for place in sorted({int(np.abs(curve.share - wanted).argmin()) for wanted in (0, 0.05, 0.1, 0.2, 0.3, 0.5)})
    ]
    head = h("tr", h("th", "sent to review", scope="col"), h("th", "right among the others", scope="col"))
    table = h("details", h("summary", "As a table"), h("table", head, rows, class_="small"))
    review = h(
        "figure",
        h("figcaption", h("h3", "What review brings"), note(words)),
        review_chart(curve, part),
        table,
    )
    return section("trust", "How far to trust it", h("div", reliable, review, class_="pair"))


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
