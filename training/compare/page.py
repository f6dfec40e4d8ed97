"""A comparison as one page, in the look of the reports."""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from common.html import Child, Html, h, scrolling
from common.page import framed, interval_bar, note, section
from contract.pages.thumbnails import Thumbnails, picture
from training.compare.comparison import Comparison
from training.compare.pairs import ChangedPhoto, Pair
from training.compare.show import INTERVAL, columns, row
from training.compare.sources import Compared
from training.html.chart import Chart
from training.report.charts import curves, learning_chart
from training.report.content import percent, shown_path
from training.report.sections import meanings

THUMBNAILS = 240
PER_SIDE = 24
CLASSES = 250
CURVES = 4  # as many as there are colours


def page(comparison: Comparison) -> str:
    """The whole comparison as one self-contained HTML file."""
    names = [item.name for item in comparison.compared]
    title = " against ".join(names) if len(names) < 4 else f"{len(names)} side by side"
    thumbs = Thumbnails(THUMBNAILS)
    parts = [
        ("runs", "Figures", section("runs", "Side by side", _table(comparison), _accuracies(comparison))),
        ("verdict", "Chance", section("verdict", "Is the difference more than chance?", _verdicts(comparison))),
        ("learning", "Learning", _learning(comparison.compared)),
        *((f"pair-{number}", "Changes", _changes(number, pair, thumbs))
          for number, pair in enumerate(comparison.pairs)),
        ("classes", "Classes", _classes(comparison.compared)),
        ("settings", "Settings", _settings(comparison)),
    ]  # fmt: skip
    kept = [(name, words, part) for name, words, part in parts if part is not None]
    return framed(title, f"Measured on {comparison.words}.", kept, below=meanings())


def _head(names: Sequence[str]) -> Html:
    return h("thead", h("tr", [h("th", name, scope="col", class_="number" if place else "")
                               for place, name in enumerate(names)]))  # fmt: skip


def _table(comparison: Comparison) -> Html:
    """A figure a line and a model a column, so that two or three fit on a telephone."""
    names, *lines = zip(columns(comparison), *(row(item, comparison) for item in comparison.compared), strict=True)
    best = [item.figures.accuracy == comparison.best for item in comparison.compared]
    rows = []
    for name, *values in lines:
        if name == INTERVAL:
            continue  # the bars below show it
        cells: list[Child] = [h("b", text, class_="right") if name == "accuracy" and top else text
                              for text, top in zip(values, best, strict=True)]  # fmt: skip
        rows.append(h("tr", h("th", name, scope="row"), [h("td", text, class_="number") for text in cells]))
    return scrolling(h("table", _head(names), h("tbody", rows), class_="figures"), "Figures of each")


def _accuracies(comparison: Comparison) -> Html:
    """Accuracies with their 95 % intervals as bars on one scale, which stay readable on a telephone."""
    found = [(item.name, item.figures) for item in comparison.compared]
    low = max(0.0, min(own.interval[0] for _, own in found) - 0.01)
    high = min(1.0, max(own.interval[1] for _, own in found) + 0.01)

    def place(share: float) -> float:
        return (share - low) / (high - low)

    bars = []
    for number, (name, own) in enumerate(found):
        start, end = map(place, own.interval)
        bar = interval_bar(start, place(own.accuracy), end, f"s{number % 4}")
        said = f"{percent(own.accuracy, 2)}, {percent(own.interval[0])} to {percent(own.interval[1])}"
        bars.append(h("li", h("b", name), f" {said}", bar))
    scale = note(f"Each bar is a 95 % interval, from {percent(low)} on the left to {percent(high)} on the right.")
    return h("div", h("ul", bars, class_="intervals"), scale)


def _verdicts(comparison: Comparison) -> list[Html]:
    items = [h("li", pair.sentence()) for pair in comparison.pairs]
    how = (
        "p is from McNemar's exact test (1947) on the photos that only one of the two gets right: the probability of a"
        " difference at least this large between equal models. Interval of the difference: Agresti and Min, 2005."
    )
    warnings = [h("p", h("span", "look here", class_="badge warning"), " ", words) for words in comparison.notes]
    return [h("ul", items, class_="glance"), *warnings, note(how)]


def _learning(runs: Sequence[Compared]) -> Html | None:
    charts = curves_of(runs)
    if not charts:
        return None
    figures = [h("figure", h("h3", name.capitalize()), drawn.keyed()) for name, drawn in charts.items()]
    said = note(f"The {CURVES} most accurate ones.") if len(runs) > CURVES else None
    return section("learning", "How they learnt", said, h("div", figures, class_="pair"))


def curves_of(runs: Sequence[Compared]) -> dict[str, Chart]:
    """Charts of the validation photos by epoch, of the most accurate ones, by name."""
    best = sorted(runs, key=lambda item: -item.figures.accuracy)[:CURVES]
    charts = {}
    for kind, column in (("accuracy", "validation accuracy"), ("loss", "validation log loss")):
        series = {item.name: curves(item.history, kind).get(column, []) for item in runs if item in best}
        known = {name: points for name, points in series.items() if points}
        if any(len(points) > 1 for points in known.values()):
            charts[column] = learning_chart(known, column)
    return charts


def _changes(number: int, pair: Pair, thumbs: Thumbnails) -> Html | None:
    if not pair.gained and not pair.lost:
        return None
    gained = _side(f"Gained: {pair.other} right, {pair.reference} wrong", pair.gained, pair.root, thumbs, number == 0)
    lost = _side(f"Lost: {pair.reference} right, {pair.other} wrong", pair.lost, pair.root, thumbs, number == 0)
    right, wrong = pair.both_right, pair.photos - pair.both_right - len(pair.gained) - len(pair.lost)
    words = note(f"Both are right on {right:,} of {pair.photos:,} common photos, and both wrong on {wrong:,}.")
    return section(f"pair-{number}", f"What changed from {pair.reference} to {pair.other}", words, gained, lost)


def _side(title: str, changes: Sequence[ChangedPhoto], root: Path, thumbs: Thumbnails, unfolded: bool) -> Html:
    thumbs.want(change.photo for change in changes[:PER_SIDE])
    shown = [change for change in changes[:PER_SIDE] if change.photo in thumbs]
    rest = note(f"{len(changes) - len(shown):,} more are in changes.csv.") if len(shown) < len(changes) else None
    items = [h("li", _figure(change, root, thumbs)) for change in shown]
    return h(
        "details", h("summary", f"{title} ({len(changes):,})"), h("ul", items, class_="photos"), rest, open=unfolded
    )


def _figure(change: ChangedPhoto, root: Path, thumbs: Thumbnails) -> Html:
    name = shown_path(change.photo, root)
    lines = [
        [h("b", taken, class_="right" if taken == change.true else "wrong"), f" {percent(sure)}"]
        for taken, sure in (change.before, change.after)
    ]
    verdict = h("span", lines[0], h("br"), "\N{RIGHTWARDS ARROW} ", lines[1], class_="verdict")
    words = f"{name}: {change.true}, taken for {change.before[0]}, then for {change.after[0]}"
    caption = h("figcaption", verdict, h("span", name, class_="path"))
    return h("figure", picture(thumbs.of(change.photo), words), caption)


def _classes(runs: Sequence[Compared]) -> Html:
    found = [{own["label"]: own["f1"] for own in item.figures.classes} for item in runs]
    labels = list(dict.fromkeys(chain.from_iterable(found)))
    rows = []
    for label in labels[:CLASSES]:
        values = [table.get(label) for table in found]
        best = max(value for value in values if value is not None)
        cells = [_f1(value, best) for value in values]
        rows.append(h("tr", h("th", label, scope="row"), cells))
    table = h("table", _head(["class", *(item.name for item in runs)]), h("tbody", rows), class_="figures")
    left = len(labels) - CLASSES
    rest = note(f"{left:,} more classes are left out here.") if left > 0 else None
    return section("classes", "F1 of each class", scrolling(table, "F1 of each class"), rest)


def _f1(value: float | None, best: float) -> Html:
    if value is None:
        return h("td", "\N{EN DASH}", class_="number")
    text = f"{value:.3f}"
    return h("td", h("b", text) if value == best else text, class_="number bar", style=f"--part:{100 * value:.1f}%")


def _settings(comparison: Comparison) -> Html:
    if not comparison.settings:
        return section("settings", "Settings", note("The settings are the same in all of them."))
    rows = [h("tr", h("th", name, scope="row"), [h("td", value) for value in values])
            for name, values in comparison.settings]  # fmt: skip
    head = h(
        "thead",
        h("tr", [h("th", name, scope="col") for name in ("setting", *(item.name for item in comparison.compared))]),
    )
    table = h("table", head, h("tbody", rows), class_="settings")
    return section("settings", "Settings that differ", scrolling(table, "Settings that differ"))
