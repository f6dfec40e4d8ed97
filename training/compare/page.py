"""A comparison as one page, in the look of the reports."""

from collections.abc import Sequence
from itertools import chain

from common.html import Child, Html, h, scrolling
from training.compare.comparison import Comparison
from training.compare.pairs import ChangedPhoto, RunPair
from training.compare.runs import ComparedRun
from training.compare.show import COLUMNS, row
from training.html.page import framed, note, section
from training.html.svg import Frame, chart, tick_names, ticks
from training.html.thumbnails import Thumbnails, picture
from training.report.charts import curves, learning_chart
from training.report.content import percent
from training.report.sections import meanings

THUMBNAILS = 240
PER_SIDE = 24
CLASSES = 250
CURVES = 4  # as many as there are colours


def page(comparison: Comparison) -> str:
    """The whole comparison as one self-contained HTML file."""
    names = [run.name for run in comparison.runs]
    title = " against ".join(names) if len(names) < 4 else f"{len(names)} runs side by side"
    thumbs = Thumbnails(THUMBNAILS)
    parts = [
        ("runs", "Figures", section("runs", "Side by side", _table(comparison), accuracies(comparison.runs))),
        ("verdict", "Chance", section("verdict", "Is the difference more than chance?", _verdicts(comparison))),
        ("learning", "Learning", _learning(comparison.runs)),
        *((f"pair-{number}", "Changes", _changes(number, pair, comparison.runs[number + 1], thumbs))
          for number, pair in enumerate(comparison.pairs)),
        ("classes", "Classes", _classes(comparison.runs)),
        ("settings", "Settings", _settings(comparison)),
    ]  # fmt: skip
    kept = [(name, words, part) for name, words, part in parts if part is not None]
    return framed(title, f"Measured on {comparison.words}.", kept, below=meanings())


def _head(names: Sequence[str]) -> Html:
    return h("thead", h("tr", [h("th", name, scope="col", class_="number" if place else "")
                               for place, name in enumerate(names)]))  # fmt: skip


def _table(comparison: Comparison) -> Html:
    rows = []
    for run in comparison.runs:
        name, *figures = row(run)
        best = run.part.scores.metrics.accuracy == comparison.best
        shown: list[Child] = [h("b", text, class_="right") if best and place == 1 else text
                              for place, text in enumerate(figures)]  # fmt: skip
        rows.append(h("tr", h("th", name, scope="row"), [h("td", text, class_="number") for text in shown]))
    return scrolling(h("table", _head(COLUMNS), h("tbody", rows), class_="figures"), "Figures of each run")


def accuracies(runs: Sequence[ComparedRun]) -> Html:
    """Accuracies with their 95 % intervals, one row a run."""
    found = [(run.name, run.part.scores.metrics) for run in runs]
    low = max(0.0, min(metrics.interval[0] for _, metrics in found) - 0.01)
    high = min(1.0, max(metrics.interval[1] for _, metrics in found) + 0.01)
    frame = Frame((low, high), (0, len(found)), 900, 44 * len(found) + 50, left=16, right=16, top=6, bottom=40)
    parts: list[Html] = []
    marks = ticks(low, high)
    for tick, name in zip(marks, tick_names(marks, per_cent=True), strict=True):
        (x, bottom), (_, top) = frame.at(tick, 0), frame.at(tick, len(found))
        parts += [h("line", x1=x, x2=x, y1=bottom, y2=top, class_="grid"),
                  h("text", name, x=x, y=bottom + 20, class_="tick middle")]  # fmt: skip
    for number, (name, metrics) in enumerate(found):
        x, y = frame.at(metrics.accuracy, len(found) - number - 0.68)
        start, end = (frame.at(bound, 0)[0] for bound in metrics.interval)
        words = (
            f"{name}: {percent(metrics.accuracy, 2)}, {percent(metrics.interval[0])} to {percent(metrics.interval[1])}"
        )
        parts.append(h("text", f"{name}  {percent(metrics.accuracy, 2)}", x=start, y=y - 12, class_="name"))
        parts.append(h("line", x1=start, x2=end, y1=y, y2=y, class_=f"whisker s{number % 4}"))
        parts.append(h("circle", h("title", words), cx=x, cy=y, r=6.0, class_=f"dot s{number % 4}"))
    description = "; ".join(f"{name} {percent(metrics.accuracy, 2)}" for name, metrics in found)
    return h("figure", chart(frame, "Accuracies with their 95 % intervals", description, parts))


def _verdicts(comparison: Comparison) -> list[Html]:
    items = [h("li", pair.sentence()) for pair in comparison.pairs]
    how = (
        "p is from McNemar's exact test (1947) on the photos that only one of the two gets right: the probability of a"
        " difference at least this large between equal models. Interval of the difference: Agresti and Min, 2005."
    )
    warnings = [h("p", h("span", "look here", class_="badge warning"), " ", words) for words in comparison.notes]
    return [h("ul", items, class_="glance"), *warnings, note(how)]


def _learning(runs: Sequence[ComparedRun]) -> Html | None:
    best = sorted(runs, key=lambda run: -run.part.scores.metrics.accuracy)[:CURVES]
    drawn = [run for run in runs if run in best]
    charts = []
    for kind, column in (("accuracy", "validation accuracy"), ("loss", "validation log loss")):
        series = {run.name: curves(run.given.history, kind).get(column, []) for run in drawn}
        known = {name: points for name, points in series.items() if points}
        if any(len(points) > 1 for points in known.values()):
            charts.append(h("figure", h("h3", column.capitalize()), learning_chart(known, kind, None)))
    if not charts:
        return None
    said = note(f"The {CURVES} most accurate ones.") if len(runs) > CURVES else None
    return section("learning", "How they learnt", said, h("div", charts, class_="pair"))


def _changes(number: int, pair: RunPair, other: ComparedRun, thumbs: Thumbnails) -> Html | None:
    if not pair.gained and not pair.lost:
        return None
    gained = _side(f"Gained: {pair.other} right, {pair.reference} wrong", pair.gained, other, thumbs, number == 0)
    lost = _side(f"Lost: {pair.reference} right, {pair.other} wrong", pair.lost, other, thumbs, number == 0)
    right, wrong = pair.both_right, pair.photos - pair.both_right - len(pair.gained) - len(pair.lost)
    words = note(f"Both are right on {right:,} of {pair.photos:,} common photos, and both wrong on {wrong:,}.")
    return section(f"pair-{number}", f"What changed from {pair.reference} to {pair.other}", words, gained, lost)


def _side(title: str, changes: Sequence[ChangedPhoto], other: ComparedRun, thumbs: Thumbnails, unfolded: bool) -> Html:
    thumbs.want(change.photo for change in changes[:PER_SIDE])
    shown = [change for change in changes[:PER_SIDE] if change.photo in thumbs]
    rest = note(f"{len(changes) - len(shown):,} more are in changes.csv.") if len(shown) < len(changes) else None
    items = [h("li", _figure(change, other, thumbs)) for change in shown]
    return h(
        "details", h("summary", f"{title} ({len(changes):,})"), h("ul", items, class_="photos"), rest, open=unfolded
    )


def _figure(change: ChangedPhoto, other: ComparedRun, thumbs: Thumbnails) -> Html:
    name = other.given.shown(change.photo)
    lines = [
        [h("b", taken, class_="right" if taken == change.true else "wrong"), f" {percent(sure)}"]
        for taken, sure in (change.before, change.after)
    ]
    verdict = h("span", lines[0], h("br"), "\N{RIGHTWARDS ARROW} ", lines[1], class_="verdict")
    words = f"{name}: {change.true}, taken for {change.before[0]}, then for {change.after[0]}"
    caption = h("figcaption", verdict, h("span", name, class_="path"))
    return h("figure", picture(thumbs.of(change.photo), words), caption)


def _classes(runs: Sequence[ComparedRun]) -> Html:
    found = [{item.label: item.f1 for item in run.part.scores.metrics.classes} for run in runs]
    labels = list(dict.fromkeys(chain.from_iterable(found)))
    rows = []
    for label in labels[:CLASSES]:
        values = [table.get(label) for table in found]
        best = max(value for value in values if value is not None)
        cells = [_f1(value, best) for value in values]
        rows.append(h("tr", h("th", label, scope="row"), cells))
    table = h("table", _head(["class", *(run.name for run in runs)]), h("tbody", rows), class_="figures")
    left = len(labels) - CLASSES
    rest = note(f"{left:,} more classes are left out here.") if left > 0 else None
    return section("classes", "F1 of each class", scrolling(table, "F1 of each class in each run"), rest)


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
    head = h("thead", h("tr", [h("th", name, scope="col") for name in ("setting", *(r.name for r in comparison.runs))]))
    table = h("table", head, h("tbody", rows), class_="settings")
    return section("settings", "Settings that differ", scrolling(table, "Settings that differ"))
