"""Sections of text and tables: headline, classes, data, model card, next steps."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from common.html import Html, h, scrolling
from common.page import interval_bar, note, section
from contract.pages.thumbnails import Thumbnails, picture
from training.measure.metrics import ClassMetrics
from training.report.charts import pr_chart
from training.report.content import NextStep, ReportFinding, ReportInput, SplitPart, count, percent
from training.report.summary import at_a_glance, headline

TABLE_ROWS = 250
FINDING_PHOTOS = 16
FEW = 8  # photos of a finding that are shown unfolded
MEANINGS = (
    ("Interval", "The fewer photos, the wider the 95 % interval of the accuracy (Wilson, 1927)."),
    ("Precision", "Of the photos predicted as a class, the share that belongs to it."),
    ("Recall", "Of the photos of a class, the share that is found. F1 is the harmonic mean of precision and recall."),
    ("AUC", "Probability that a photo of the class ranks above a photo of another class."),
    ("Log loss", "Mean negative natural logarithm of the probability of the true class; 0 is perfect."),
    (
        "Calibration error",
        "Mean distance between confidence and accuracy, over 15 equal bins (Naeini, 2015; Guo, 2017).",
    ),
    ("Brier score", "Mean squared distance between the probabilities and the truth, 0 to 2 (Brier, 1950)."),
)  # fmt: skip


def hero(given: ReportInput) -> Html:
    """The accuracy in large type with its interval, and other metrics beside it."""
    part = given.parts[0]
    low, high = part.scores.metrics.interval
    big = h(
        "div",
        h("p", "Accuracy on ", part.words, class_="over"),
        h("p", percent(part.scores.metrics.accuracy), class_="big"),
        interval_bar(low, part.scores.metrics.accuracy, high),
        h("p", f"95 % interval {percent(low)} to {percent(high)}", class_="under"),
        class_="accuracy",
    )
    chosen = h("p", given.told.choice) if given.told.choice else None
    return h("div", big, h("div", h("p", headline(part), class_="lead"), chosen, _tiles(given)), class_="hero")


def _tiles(given: ReportInput) -> Html:
    metrics = given.parts[0].scores.metrics
    tiles = [
        ("macro F1", f"{metrics.macro_f1:.3f}"),
        ("macro AUC", "n/a" if metrics.macro_auc is None else f"{metrics.macro_auc:.4f}"),
        ("log loss", f"{metrics.log_loss:.3f}"),
        ("calibration error", f"{metrics.calibration_error:.3f}"),
        ("Brier score", f"{metrics.brier:.3f}"),
    ]
    tiles += [
        (f"on {count(len(part.true), part.words[:-1])}", percent(part.scores.metrics.accuracy))
        for part in given.parts[1:]
    ]
    return h("dl", [h("div", h("dt", name), h("dd", value)) for name, value in tiles], class_="tiles")


def glance(given: ReportInput) -> Html:
    """The most important facts, as a list."""
    return section("glance", "At a glance", h("ul", [h("li", words) for words in at_a_glance(given)], class_="glance"))


def class_table(given: ReportInput, splits: Html | None) -> Html:
    """Precision, recall, F1 and AUC of each class (the weakest of very many), and the metrics of all splits."""
    part = given.parts[0]
    classes = list(enumerate(part.scores.metrics.classes))
    left_out = None
    if len(classes) > TABLE_ROWS:
        kept = sorted(classes, key=lambda item: item[1].f1)[:TABLE_ROWS]
        left_out = note(f"The {TABLE_ROWS} classes of lowest F1; {len(classes) - TABLE_ROWS:,} more are left out here.")
        classes = sorted(kept, key=lambda item: item[0])
    names = ["class", "photos", "precision", "recall", "F1", "AUC"]
    names += ["threshold", "to review"] if part.sent is not None else []
    head = h("tr", [h("th", name, scope="col", class_="" if name == "class" else "number") for name in names])
    rows = [_class_row(index, item, part, given.thresholds) for index, item in classes]
    table = h("table", h("thead", head), h("tbody", rows), class_="figures")
    words = note(f"On {count(len(part.true), part.words[:-1])}.") if splits else None
    box = scrolling(table, "Figures of each class")
    return section("classes", "Each class", words, left_out, box, splits, _found(part))


def _found(part: SplitPart) -> Html:
    """Precision against recall of the classes with the lowest F1."""
    drawn = pr_chart(part)
    few = f"The {len(drawn.keys)} classes of lowest F1. " if len(np.unique(part.true)) > len(drawn.keys) else ""
    words = note(f"{few}The lower the probability that is enough, the more photos of a class are found, and the more"
                 " others with them.")  # fmt: skip
    return h("figure", h("figcaption", h("h3", "Precision against recall"), words), drawn.keyed(), class_="half")


def _class_row(index: int, item: ClassMetrics, part: SplitPart, thresholds: Mapping[str, float]) -> Html:
    cells = [h("td", f"{item.photos:,}", class_="number")]
    cells += [_bar(value) for value in (item.precision, item.recall, item.f1)]
    cells.append(h("td", "\N{EN DASH}" if item.auc is None else f"{item.auc:.4f}", class_="number"))
    if part.sent is not None:
        own = part.sent[part.true == index]
        cells.append(h("td", f"{thresholds.get(item.label, 0.0):.2f}", class_="number"))
        cells.append(h("td", percent(float(np.mean(own)), 0) if len(own) else "\N{EN DASH}", class_="number"))
    return h("tr", h("th", item.label, scope="row"), cells)


def _bar(value: float) -> Html:
    return h("td", f"{value:.3f}", class_="number bar", style=f"--part:{100 * value:.1f}%")


def data(given: ReportInput, thumbs: Thumbnails) -> Html:
    """The findings about the data."""
    *most, last = [f"{len(part.true):,} {part.words}" for part in given.parts]
    parts = f"{', '.join(most)} and {last}" if most else last
    counts = note(f"This report is on {parts} of {count(len(given.labels), 'class')}.")
    return section("data", "The data", counts, [_finding(finding, given, thumbs) for finding in given.findings])


def _finding(finding: ReportFinding, given: ReportInput, thumbs: Thumbnails) -> Html:
    words = {"ok": "fine", "note": "note", "warning": "look here"}[finding.level]
    badge = h("span", words, class_=f"badge {finding.level}")
    text = h("p", badge, " ", h("b", finding.title), ". ", finding.sentence)
    shown = finding.photos[:FINDING_PHOTOS]
    if not shown:
        return h("div", text, class_="finding")
    thumbs.want(path for path, _ in shown)
    items = [
        h("li", h("figure", picture(thumbs.of(path), given.shown(path)),
                  h("figcaption", h("span", given.shown(path), class_="path"), h("span", words))))
        for path, words in shown
    ]  # fmt: skip
    more = len(finding.photos) - len(shown)
    rest = note(f"{more:,} more are not shown.") if more else None
    fold = h("details", h("summary", "Show them"), h("ul", items, class_="photos"), rest, open=len(shown) <= FEW)
    return h("div", text, fold, class_="finding")


def card(given: ReportInput) -> Html:
    """The model card in two columns, and all settings folded."""
    rows = [h("div", h("dt", name), h("dd", value)) for name, value in given.card]
    settings = [h("tr", h("th", name, scope="row"), h("td", value)) for name, value in flat(given.recipe)]
    fold = h("details", h("summary", "All settings"), h("table", settings, class_="settings")) if settings else None
    return section("card", "Model card", h("dl", rows, class_="card"), fold)


def flat(values: Mapping[str, Any], above: str = "") -> list[tuple[str, str]]:
    """Nested values as (`section.key`, text) in their order."""
    found: list[tuple[str, str]] = []
    for key, value in values.items():
        found += flat(value, f"{above}{key}.") if isinstance(value, Mapping) else [(f"{above}{key}", _setting(value))]
    return found


def _setting(value: object) -> str:
    """A setting in words; of a file only its name, because a report is handed on."""
    text = str(value)
    return Path(text).name if text.startswith("/") else text


def steps(ways: Sequence[NextStep]) -> Html:
    """Next steps: sentences with commands to copy."""
    items = [h("li", h("p", step.sentence), h("pre", h("code", step.command), tabindex="0")) for step in ways]
    words = note("In the folder that holds this run or model.")
    return section("next", "Next steps", words, h("ol", items, class_="steps"))


def meanings() -> Html:
    """The meaning of each metric, folded."""
    rows = [h("div", h("dt", name), h("dd", words)) for name, words in MEANINGS]
    return h("details", h("summary", "What the metrics mean"), h("dl", rows, class_="card"), class_="meanings")
