"""Tables of a grid: its cells, the best first, and their metrics by split and by class."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from common.html import Child, Html, h, scrolling
from common.page import note
from training.grid.outcome import CellOutcome, CellState
from training.grid.results import GridResults
from training.grid.show import DASH, columns, row
from training.measure.figures import AVERAGES, SplitFigures
from training.report.write import REPORT

CLASSES = 250
FOLDED = 2000  # most lines of class tables beside that of the best cell, so that the page stays usable
WORDS = {"train": "training photos", "validation": "validation photos", "test": "test photos"}
HEADS = ("accuracy", "precision", "recall", "F1", "AUC")


def sides(results: GridResults) -> list[str]:
    """The splits that have metrics, in the order in which training uses them."""
    return [side for side in WORDS if side in results.splits]


def name_of(results: GridResults, outcome: CellOutcome) -> Child:
    """The name of the cell, with a link to its report if it has one."""
    name = outcome.cell.name
    there = (results.folder / name / REPORT).is_file()
    return h("a", name, href=f"{quote(name)}/{REPORT}") if there else name


def cell_table(results: GridResults) -> Html:
    """Every cell on a line; cells without metrics come last, with their state."""
    heads = columns(results)
    numbers = [h("th", name, scope="col", class_="number") for name in heads[1:]]
    head = h("tr", h("th", "#", scope="col", class_="rank"), h("th", heads[0], scope="col"), numbers)
    rows = [_cell_row(results, place, outcome) for place, outcome in enumerate(results.finished)]
    rows += [
        h("tr", h("td", class_="rank"), h("th", name_of(results, outcome), scope="row"),
          h("td", h("span", str(outcome.state), class_=f"state {outcome.state}"), " ", outcome.reason,
            colspan=len(heads) - 1))
        for outcome in results.outcomes if outcome.state is not CellState.FINISHED
    ]  # fmt: skip
    return scrolling(h("table", h("thead", head), h("tbody", rows), class_="figures"), "Figures of each cell")


def _cell_row(results: GridResults, place: int, outcome: CellOutcome) -> Html:
    _, accuracy, *rest = row(outcome, results)
    first = h("td", h("b", accuracy) if not place else accuracy, class_="number")
    cells = [first, *(h("td", text, class_="number") for text in rest)]
    name = h("th", name_of(results, outcome), scope="row")
    return h("tr", h("td", place + 1, class_="rank"), name, cells, class_="" if place else "best")


def side_table(results: GridResults) -> Html:
    """Accuracy, and means of precision, recall, F1 and AUC over the classes, of every cell on every side."""
    given = sides(results)
    top = h(
        "tr", h("td"), [h("th", WORDS[side], scope="colgroup", colspan=len(HEADS), class_="first") for side in given]
    )
    head = h("tr", h("th", "cell", scope="col"), [_heads(HEADS) for _ in given])
    rows = [
        h(
            "tr",
            h("th", name_of(results, outcome), scope="row"),
            [_averages(outcome.figures.get(side)) for side in given],
        )
        for outcome in results.finished
    ]
    table = h("table", h("thead", top, head), h("tbody", rows), class_="figures sides")
    return scrolling(table, "Figures of each cell by side")


def _heads(names: Sequence[str]) -> list[Html]:
    return [h("th", name, scope="col", class_=_edge(place)) for place, name in enumerate(names)]


def _edge(place: int) -> str:
    return "number" if place else "number first"


def _averages(given: SplitFigures | None) -> list[Html]:
    values = [given.accuracy, *(getattr(given, name) for name in AVERAGES)] if given else [None] * len(HEADS)
    return [h("td", figure(value), class_=_edge(place)) for place, value in enumerate(values)]


def figure(value: float | None) -> str:
    """A value from 0 to 1 with three digits, or a dash if there is none."""
    return DASH if value is None else f"{value:.3f}"


def class_tables(results: GridResults) -> list[Html]:
    """Precision, recall, F1 and AUC of each class on every side: of the best cell, and folded, of the others."""
    tables, lines = [], 0
    for place, outcome in enumerate(results.finished):
        lines += len(outcome.figures["validation"].classes) if place else 0
        if lines > FOLDED:
            left = len(results.finished) - place
            tables.append(note(f"{left:,} more cells are left out here; their own reports have these figures."))
            break
        title = f"{outcome.cell.name}, the best" if not place else outcome.cell.name
        tables.append(h("details", h("summary", title), _class_table(outcome, sides(results)), open=not place))
    return tables


def _class_table(outcome: CellOutcome, given: Sequence[str]) -> Html:
    known = {side: {item["label"]: item for item in outcome.figures[side].classes}
             for side in given if side in outcome.figures}  # fmt: skip
    labels = list(dict.fromkeys(label for items in known.values() for label in items))
    names = ("photos", *HEADS[1:])
    top = [h("th", WORDS[side], scope="colgroup", colspan=len(names), class_="first") for side in known]
    head = h("thead", h("tr", h("td"), top), h("tr", h("th", "class", scope="col"), [_heads(names) for _ in known]))
    rows = [
        h("tr", h("th", label, scope="row"), [_class_cells(items.get(label)) for items in known.values()])
        for label in labels[:CLASSES]
    ]
    table = scrolling(h("table", head, h("tbody", rows), class_="figures sides"), f"Classes of {outcome.cell.name}")
    left = len(labels) - CLASSES
    return h("div", table, note(f"{left:,} more classes are left out here.") if left > 0 else None)


def _class_cells(item: Mapping[str, Any] | None) -> list[Html]:
    if item is None:
        return [h("td", DASH, class_=_edge(place)) for place in range(len(HEADS))]
    values = [f"{item['photos']:,}", *(figure(item.get(name)) for name in AVERAGES)]
    return [h("td", value, class_=_edge(place)) for place, value in enumerate(values)]
