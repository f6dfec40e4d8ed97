"""Charts of a grid: accuracy of every cell, effect of each setting, and accuracy against cost."""

from collections.abc import Callable, Sequence

from common.html import Child, Html, h
from training.grid.names import shown
from training.grid.outcome import CellOutcome
from training.grid.results import GridResults
from training.html.svg import Frame, Point, axes, chart, dot, tick_names, ticks
from training.measure.figures import SplitFigures
from training.report.content import percent

ROWS = 60
COLOURS = 4  # number of colours in reports
LABEL = 44  # characters of a name; longer ones are cut


def validation(outcome: CellOutcome) -> SplitFigures:
    """Validation metrics of a finished cell."""
    return outcome.figures["validation"]


def colour_axis(results: GridResults) -> str | None:
    """The setting that colours the cells: the first with few enough values; None if there is none."""
    return next((key for key, values in results.grid.axes.items() if 1 < len(values) <= COLOURS), None)


def colour(results: GridResults, outcome: CellOutcome) -> int:
    """Number of a cell's colour."""
    key = colour_axis(results)
    return 0 if key is None else results.grid.axes[key].index(outcome.cell.options[key])


def legend(results: GridResults, tested: bool = False) -> Html:
    """Legend of the colours, and with `tested` of the hollow dots."""
    key = colour_axis(results)
    values = () if key is None else results.grid.axes[key]
    names: list[Child] = [h("span", setting(key or "", value), class_=f"key s{place}")
                          for place, value in enumerate(values)]  # fmt: skip
    if tested and "test" in results.splits:
        names.append(h("span", "hollow: test photos (not used to rank)", class_="key hollow"))
    return h("p", names, class_="legend")


def setting(key: str, value: object) -> str:
    """The value of a setting, with the setting's name if needed: `MobileNetV2`, `3 blocks`, `dropout 0.3`."""
    if key in ("backbone", "fine_tune.unfreeze") and isinstance(value, str) and value != "all":
        return value
    return f"{key.rpartition('.')[2].replace('_', ' ')} {shown(value)}"


def clipped(name: str) -> str:
    """Shorten a name to leave room for the figure."""
    return name if len(name) <= LABEL else f"{name[: LABEL - 1]}\N{HORIZONTAL ELLIPSIS}"


def cells_chart(results: GridResults) -> Html:
    """Accuracies of the cells with their 95 % intervals, one row a cell, the best on top."""
    outcomes = results.finished[:ROWS]
    low, high = _range(outcomes)
    label = 24 + round(6.7 * max(len(clipped(outcome.cell.name)) for outcome in outcomes))
    height = 26 * len(outcomes) + 44
    frame = Frame((low, high), (0, len(outcomes)), 960, height, left=label, right=76, top=6, bottom=38)
    parts: list[Html] = [_upright_grid(frame)]
    for place, outcome in enumerate(outcomes):
        parts += _row(frame, len(outcomes) - place - 0.5, outcome, f"s{colour(results, outcome)}")
    description = "; ".join(f"{item.cell.name} {percent(validation(item).accuracy, 2)}" for item in outcomes)
    return chart(frame, "Accuracy of each cell on validation photos, with its 95 % interval", description, parts)


def _range(outcomes: Sequence[CellOutcome]) -> tuple[float, float]:
    ends = [bound for outcome in outcomes for bound in validation(outcome).interval]
    ends += [outcome.figures["test"].accuracy for outcome in outcomes if "test" in outcome.figures]
    return max(0.0, min(ends) - 0.01), min(1.0, max(ends) + 0.01)


def _upright_grid(frame: Frame) -> Html:
    parts: list[Html] = []
    marks = ticks(*frame.x, 8)
    for tick, name in zip(marks, tick_names(marks, per_cent=True), strict=True):
        (x, bottom), (_, top) = frame.at(tick, frame.y[0]), frame.at(tick, frame.y[1])
        parts += [h("line", x1=x, x2=x, y1=bottom, y2=top, class_="grid"),
                  h("text", name, x=x, y=bottom + 20, class_="tick middle")]  # fmt: skip
    return h("g", parts)


def _row(frame: Frame, y: float, outcome: CellOutcome, class_: str) -> list[Html]:
    own, test = validation(outcome), outcome.figures.get("test")
    words = f"{outcome.cell.name}: {percent(own.accuracy, 2)}, {percent(own.interval[0])} to {percent(own.interval[1])}"
    (start, place), (end, _) = frame.at(own.interval[0], y), frame.at(own.interval[1], y)
    parts = [
        h("text", h("title", outcome.cell.name), clipped(outcome.cell.name), x=frame.left - 12, y=place + 4,
          class_="name end"),
        h("line", x1=start, x2=end, y1=place, y2=place, class_=f"whisker {class_}"),
        dot(frame, own.accuracy, y, class_, words, 5.5),
        h("text", percent(own.accuracy), x=frame.width - 4, y=place + 4, class_="value end"),
    ]  # fmt: skip
    if test is not None:
        said = f"{outcome.cell.name}: {percent(test.accuracy, 2)} on test photos"
        parts.append(dot(frame, test.accuracy, y, f"hollow {class_}", said, 4.0))
    return parts


def strip_chart(results: GridResults, key: str) -> Html:
    """Accuracies of all cells by their value of one setting, with the mean of each value."""
    values, outcomes = results.grid.axes[key], results.finished
    groups = [[item for item in outcomes if item.cell.options[key] == value] for value in values]
    ends = [validation(item).accuracy for item in outcomes]
    room = max(0.005, (max(ends) - min(ends)) * 0.06)
    words = [shown(value) or "none" for value in values]
    label = 30 + round(6.7 * max(len(clipped(word)) for word in words))
    frame = Frame((max(0.0, min(ends) - room), min(1.0, max(ends) + room)), (0, len(values)), 520,
                  38 * len(values) + 48, left=label, right=70, top=6, bottom=38)  # fmt: skip
    parts, means = [_upright_grid(frame)], []
    for place, (word, group) in enumerate(zip(words, groups, strict=True)):
        y = len(values) - place - 0.5
        parts.append(h("text", clipped(word), x=label - 12, y=frame.at(0, y)[1] + 4, class_="name end"))
        if group:
            mean = sum(validation(item).accuracy for item in group) / len(group)
            parts += _strip(frame, y, group, mean, results)
            means.append(f"{word}: mean {percent(mean, 2)} of {len(group)}")
    return chart(frame, f"Accuracy by {key}", "; ".join(means), parts)


def _strip(frame: Frame, y: float, group: Sequence[CellOutcome], mean: float, results: GridResults) -> list[Html]:
    parts = []
    for item in group:
        words = f"{item.cell.name}: {percent(validation(item).accuracy, 2)}"
        parts.append(dot(frame, validation(item).accuracy, y, f"faint s{colour(results, item)}", words, 5.0))
    x, place = frame.at(mean, y)
    parts.append(h("line", h("title", f"mean {percent(mean, 2)}"), x1=x, x2=x, y1=place - 11, y2=place + 11,
                   class_="mean"))  # fmt: skip
    parts.append(h("text", percent(mean), x=frame.width - 4, y=place + 4, class_="value end"))
    return parts


Cost = Callable[[CellOutcome], float | None]


def costs(results: GridResults, cost: Cost) -> list[tuple[float, CellOutcome]]:
    """The cost of each finished cell, if known."""
    return [(value, item) for item in results.finished if (value := cost(item)) is not None]


def cost_chart(results: GridResults, name: str, cost: Cost) -> Html | None:
    """Accuracy against a cost, with the Pareto front; None if all cells cost the same."""
    known = costs(results, cost)
    if len({value for value, _ in known}) < 2:
        return None
    ends = [validation(item).accuracy for _, item in known]
    room = max(0.005, (max(ends) - min(ends)) * 0.1)
    most = max(value for value, _ in known)
    frame = Frame((0.0, most * 1.06), (max(0.0, min(ends) - room), min(1.0, max(ends) + room)), height=360, left=80)
    best = front(known)
    steps = " ".join(f"{x:.1f},{y:.1f}" for x, y in (frame.at(*point) for point in _stairs(best, most)))
    parts = [axes(frame, name, "accuracy", "y"), h("polyline", points=steps, class_="front")]
    for value, item in known:
        words = f"{item.cell.name}: {percent(validation(item).accuracy, 2)}, {value:.3g} {name}"
        parts.append(dot(frame, value, validation(item).accuracy, f"s{colour(results, item)}", words, 5.5))
    listed = "; ".join(f"{item.cell.name} {percent(validation(item).accuracy)} at {value:.3g}" for value, item in best)
    return chart(frame, f"Accuracy against {name}", f"Best at the same or a lower cost: {listed}", parts)


def front(known: Sequence[tuple[float, CellOutcome]]) -> list[tuple[float, CellOutcome]]:
    """The Pareto front, the cheapest first: no other cell is better at the same or a lower cost."""
    kept: list[tuple[float, CellOutcome]] = []
    for value, item in sorted(known, key=lambda pair: (pair[0], pair[1].rank)):
        if not kept or validation(item).accuracy > validation(kept[-1][1]).accuracy:
            kept.append((value, item))
    return kept


def _stairs(best: Sequence[tuple[float, CellOutcome]], most: float) -> list[Point]:
    points: list[Point] = []
    for value, item in best:
        if points:
            points.append((value, points[-1][1]))
        points.append((value, validation(item).accuracy))
    return [*points, (most, points[-1][1])]
