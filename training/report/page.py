"""The report's page, from top to bottom."""

from itertools import islice

import numpy as np

from common.html import Html, h
from common.page import framed, note, section
from contract.pages.thumbnails import Thumbnails
from training.report.content import ReportInput, count
from training.report.gallery import WORST, examples, gallery, worst_mistakes
from training.report.learning import learning
from training.report.matrix import NARROW, PAIRS, cells, confusions, matrix_table, pair_list, panels, shown_classes
from training.report.sections import card, class_table, data, glance, hero, meanings, steps
from training.report.splits import split_table
from training.report.trust import familiar, trust

THUMBNAILS = 480


def page(given: ReportInput) -> str:
    """The whole report as one self-contained HTML file."""
    thumbs = Thumbnails(THUMBNAILS)
    sections = [
        ("glance", "At a glance", glance(given)),
        ("mistakes", "Worst mistakes", _mistakes(given, thumbs)),
        ("learning", "Learning", learning(given)),
        ("examples", "Examples", examples(given, thumbs)),
        ("confusion", "Confusion", _confusion(given, thumbs)),
        ("trust", "Trust", trust(given)),
        ("familiar", "Familiarity", familiar(given, thumbs)),
        ("classes", "Classes", class_table(given, split_table(given))),
        ("data", "Data", data(given, thumbs)),
        ("card", "Model card", card(given) if given.card or given.recipe else None),
        ("next", "Next", steps(given.steps) if given.steps else None),
    ]
    kept = [(name, title, body) for name, title, body in sections if body is not None]
    # Mistakes and examples are made first, so that they get pictures within the limit, and shown after the matrix.
    kept.sort(key=lambda item: _ORDER.index(item[0]))
    return framed(given.title, given.source, kept, hero(given), meanings())


_ORDER = (
    *("glance", "learning", "confusion", "mistakes", "examples", "trust", "familiar"),
    *("classes", "data", "card", "next"),
)


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
