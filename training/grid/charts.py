"""Charts of a grid: accuracy of every cell, effect of each setting, and accuracy against cost."""

from collections.abc import Callable, Sequence

from common.html import Html, h
from training.compare.intervals import Row, interval_chart, label_px, upright_grid
from training.grid.names import shown
from training.grid.outcome import CellOutcome
from training.grid.results import GridResults
from training.html.chart import Chart, Key
from training.html.svg import Frame, Point, axes, clipped, dot
from training.measure.figures import SplitFigures
from training.report.content import percent

ROWS = 60
COLOURS = 4  # number of colours in reports


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


def keys(results: GridResults, tested: bool = False) -> tuple[Key, ...]:
    """Legend of the colours, and with `tested` of the hollow dots."""
    key = colour_axis(results)
    values = () if key is None else results.grid.axes[key]
    names = tuple((f"dot s{place}", setting(key or "", value)) for place, value in enumerate(values))
    hollow = ("dot hollow s0", "hollow: test photos (not used to rank)")
    return (*names, hollow) if tested and "test" in results.splits else names


def setting(key: str, value: object) -> str:
    """The value of a setting, with the setting's name if needed: `MobileNetV2`, `3 blocks`, `dropout 0.3`."""
    if key in ("backbone", "fine_tune.unfreeze") and isinstance(value, str) and value != "all":
        return value
    return f"{key.rpartition('.')[2].replace('_', ' ')} {shown(value)}"


def cells_chart(results: GridResults) -> Chart:
    """Accuracies of the cells with their 95 % intervals, one row a cell, the best on top."""
    rows = [
        Row(item.cell.name, validation(item).accuracy, validation(item).interval, colour(results, item),
            item.figures["test"].accuracy if "test" in item.figures else None)
        for item in results.finished[:ROWS]
    ]  # fmt: skip
    title = "Accuracy of each cell on validation photos, with its 95 % interval"
    return interval_chart(title, rows, keys(results, tested=True))


def strip_charts(results: GridResults) -> dict[str, Chart]:
    """What each setting with several values brings, by its name; none if only one setting differs."""
    varied = [key for key, values in results.grid.axes.items() if len(values) > 1]
    if len(results.finished) < 2 or len(varied) < 2:
        return {}
    return {key: strip_chart(results, key) for key in varied}


def strip_chart(results: GridResults, key: str) -> Chart:
    """Accuracies of all cells by their value of one setting, with the mean of each value."""
    values, outcomes = results.grid.axes[key], results.finished
    groups = [[item for item in outcomes if item.cell.options[key] == value] for value in values]
    ends = [validation(item).accuracy for item in outcomes]
    room = max(0.005, (max(ends) - min(ends)) * 0.06)
    words = [shown(value) or "none" for value in values]
    label = 30 + label_px(words)
    frame = Frame((max(0.0, min(ends) - room), min(1.0, max(ends) + room)), (0, len(values)), 520,
                  38 * len(values) + 48, left=label, right=70, top=6, bottom=38)  # fmt: skip
    parts, means = [upright_grid(frame)], []
    for place, (word, group) in enumerate(zip(words, groups, strict=True)):
        y = len(values) - place - 0.5
        parts.append(h("text", clipped(word), x=label - 12, y=frame.at(0, y)[1] + 4, class_="name end"))
        if group:
            mean = sum(validation(item).accuracy for item in group) / len(group)
            parts += _strip(frame, y, group, mean, results)
            means.append(f"{word}: mean {percent(mean, 2)} of {len(group)}")
    return Chart(frame, f"Accuracy by {key}", "; ".join(means), parts, keys(results))


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


def cost_axes(results: GridResults) -> dict[str, tuple[str, Cost]]:
    """What cells cost, by the name of the figure: the name of the axis, and the cost of a cell."""
    longest = max((item.seconds or 0.0 for item in results.finished), default=0.0)
    unit, name = next((pair for pair in ((3600, "hours"), (60, "minutes")) if longest >= pair[0]), (1, "seconds"))

    def time(item: CellOutcome) -> float | None:
        return None if item.seconds is None else item.seconds / unit

    def millions(item: CellOutcome) -> float | None:
        return None if item.parameters is None else item.parameters / 1e6

    return {"time": (name, time), "size": ("million parameters", millions)}


def costs(results: GridResults, cost: Cost) -> list[tuple[float, CellOutcome]]:
    """The cost of each finished cell, if known."""
    return [(value, item) for item in results.finished if (value := cost(item)) is not None]


def cost_chart(results: GridResults, name: str, cost: Cost) -> Chart | None:
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
    words = f"Best at the same or a lower cost: {listed}"
    return Chart(frame, f"Accuracy against {name}", words, parts, keys(results))


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
