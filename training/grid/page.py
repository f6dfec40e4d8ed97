"""A grid as one page, in the look of the reports."""

import shlex
from dataclasses import asdict

from common.html import Html, h, scrolling
from common.page import framed, interval_bar, note, section
from common.text import printable
from training.grid.charts import (
    ROWS,
    Cost,
    cells_chart,
    cost_axes,
    cost_chart,
    costs,
    front,
    keys,
    strip_charts,
    validation,
)  # fmt: skip
from training.grid.names import shown
from training.grid.outcome import CellOutcome
from training.grid.results import GridResults
from training.grid.show import size
from training.grid.tables import cell_table, class_tables, name_of, side_table, sides
from training.html.chart import legend
from training.progress import duration
from training.report.charts import learning_charts
from training.report.content import NextStep, count, percent
from training.report.read import read_history
from training.report.sections import flat, meanings, steps
from training.run import HISTORY


def page(results: GridResults) -> str:
    """The whole grid as one self-contained HTML file."""
    title = printable(results.folder.resolve().name)
    parts = [("cells", "Cells", section("cells", "Every cell", _cells_note(results), cell_table(results)))]
    if results.best is not None:
        parts += _with_figures(results, results.best)
    parts.append(("settings", "Settings", _settings(results)))
    parts.append(("next", "Next", steps(_next_steps(results))))
    hero = _hero(results, results.best) if results.best else None
    return framed(title, _source(results), parts, hero, meanings())


def _with_figures(results: GridResults, best: CellOutcome) -> list[tuple[str, str, Html]]:
    found = [
        ("plot", "Plot", _plot(results)),
        ("brings", "What brings what", _brings(results)),
        ("costs", "Cost", _costs(results)),
        ("learning", "Learning", _learning(results, best)),
        ("sides", "Sides", _sides(results)),
        ("classes", "Classes", section("classes", "Each class", *class_tables(results))),
    ]
    return [(name, words, part) for name, words, part in found if part is not None]


def _source(results: GridResults) -> str:
    axes = " \N{MULTIPLICATION SIGN} ".join(f"{len(values)} {key}" for key, values in results.grid.axes.items())
    return f"A grid of {count(len(results.outcomes), 'run')}{': ' if axes else ''}{axes}."


def _hero(results: GridResults, best: CellOutcome) -> Html:
    own = validation(best)
    low, high = own.interval
    big = h("div", h("p", "Best accuracy on validation photos", class_="over"),
            h("p", percent(own.accuracy), class_="big"), interval_bar(low, own.accuracy, high),
            h("p", f"95 % interval {percent(low)} to {percent(high)}", class_="under"), class_="accuracy")  # fmt: skip
    lead = h("p", h("b", name_of(results, best)), f" {_lead(results, best)}", class_="lead")
    tiles = h("dl", [h("div", h("dt", name), h("dd", value)) for name, value in _tiles(best)], class_="tiles")
    return h("div", big, h("div", lead, tiles), class_="hero")


def _lead(results: GridResults, best: CellOutcome) -> str:
    own = validation(best)
    words = f"is right on {round(own.accuracy * own.photos):,} of {own.photos:,} validation photos."
    near = sum(validation(item).accuracy >= own.interval[0] for item in results.finished[1:])
    if near:
        cells = "1 more cell lies" if near == 1 else f"{near:,} more cells lie"
        words += f" {cells} within its interval: these photos alone hardly tell them apart."
    elif len(results.finished) > 1:
        words += " No other cell lies within its interval."
    return words


def _tiles(best: CellOutcome) -> list[tuple[str, str]]:
    own, test = validation(best), best.figures.get("test")
    tiles = [] if test is None else [("on test photos", percent(test.accuracy))]
    tiles += [
        (name, f"{value:.3f}")
        for name, value in (
            ("macro recall", own.recall if own.uneven else None),
            ("macro F1", own.f1),
            ("mean AUC", own.auc),
        )
        if value is not None
    ]
    tiles.append(("log loss", f"{own.log_loss:.3f}"))
    tiles += [("parameters", size(best.parameters))] if best.parameters is not None else []
    tiles += [("trained in", duration(best.seconds))] if best.seconds is not None else []
    return tiles


def _cells_note(results: GridResults) -> Html:
    words = "The best by validation photos comes first"
    if results.best is None:
        return note("No cell is finished yet.")
    tested = "; test photos decided nothing" if "test" in results.splits else ""
    kind = f" Chosen as the best of {len(results.finished)}, its accuracy on them is a little too good."
    return note(f"{words}{tested}.{kind if len(results.finished) > 1 else ''} A name leads to the cell's own report.")


def _plot(results: GridResults) -> Html:
    left = len(results.finished) - ROWS
    rest = note(f"The best {ROWS}; {left:,} more are in the table.") if left > 0 else None
    chart = cells_chart(results)
    drawn = scrolling(h("figure", chart.svg(), class_="cells"), "Plot of all cells")
    words = note("Dots are accuracies on validation photos, lines their 95 % intervals.")
    return section("plot", "Side by side", words, legend(chart.keys), drawn, rest)


def _brings(results: GridResults) -> Html | None:
    drawn = strip_charts(results)
    if not drawn:
        return None
    words = note(
        "A dot is a cell, the upright line the mean of its row: what one value brings while all others change."
    )
    figures = [h("figure", h("h3", key), strip.svg()) for key, strip in drawn.items()]
    return section("brings", "What each setting brings", words, legend(keys(results)), h("div", figures, class_="pair"))


def _costs(results: GridResults) -> Html | None:
    titles = {"time": "Time to train", "size": "Size"}
    found = [_cost(results, titles[kind], name, cost) for kind, (name, cost) in cost_axes(results).items()]
    if not any(found):
        return None
    words = note("The cells on the dashed line are the best at their cost or below.")
    return section("costs", "What it costs", words, legend(keys(results)), h("div", found, class_="pair"))


def _cost(results: GridResults, title: str, name: str, cost: Cost) -> Html | None:
    drawn = cost_chart(results, name, cost)
    if drawn is None:
        return None
    line = [h("li", item.cell.name, ": ", percent(validation(item).accuracy), f", {value:.3g} {name}")
            for value, item in front(costs(results, cost))]  # fmt: skip
    listed = h("details", h("summary", "Those on the dashed line"), h("ul", line, class_="glance"))
    return h("figure", h("h3", title), drawn.svg(), listed)


def _learning(results: GridResults, best: CellOutcome) -> Html | None:
    drawn = learning_charts(read_history(results.folder / best.cell.name / HISTORY)).values()
    if not drawn:
        return None
    words = note(f"Accuracy and loss of {best.cell.name} by epoch.")
    figures = h("div", [h("figure", each.keyed()) for each in drawn], class_="pair")
    return section("learning", "How the best one learnt", words, figures)


def _sides(results: GridResults) -> Html | None:
    if len(sides(results)) < 2 and all(validation(item).f1 is None for item in results.finished):
        return None
    words = note("Precision, recall, F1 and AUC are means over the classes.")
    return section("sides", "Models compared, on every side", words, side_table(results))


def _settings(results: GridResults) -> Html:
    rows = [h("tr", h("th", key, scope="row"), h("td", ", ".join(shown(value) for value in values)))
            for key, values in results.grid.axes.items()]  # fmt: skip
    common = [(name, value) for name, value in flat(asdict(results.grid.recipe)) if name not in results.grid.axes]
    fold = h(
        "table", [h("tr", h("th", name, scope="row"), h("td", value)) for name, value in common], class_="settings"
    )
    return section("settings", "Settings", scrolling(h("table", rows, class_="settings"), "Settings that differ"),
                   h("details", h("summary", "Settings in common"), fold))  # fmt: skip


def _next_steps(results: GridResults) -> list[NextStep]:
    def quoted(name: str) -> str:
        return shlex.quote(printable(results.folder / name))

    ways = []
    if len(results.finished) < len(results.outcomes):
        left = len(results.outcomes) - len(results.finished)
        go_on = f"phototriage train PHOTOS --recipe {quoted('recipe.toml')} --output {quoted('')}"
        ways.append(NextStep(f"Train the {left} left, with the photos as before:", go_on))
    names = [item.cell.name for item in results.finished]
    if names:
        ways.append(NextStep("Make one verified model file of the best:",
                         f"phototriage convert {quoted(names[0])} --output model.onnx"))  # fmt: skip
    if len(names) > 1:
        ways.append(NextStep("See which photos the two best disagree on, and whether that is more than chance:",
                         f"phototriage compare {quoted(names[0])} {quoted(names[1])} --output compared"))  # fmt: skip
    return ways
