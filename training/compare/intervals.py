"""A chart of accuracies side by side, each with its 95 % interval."""

from collections.abc import Sequence
from dataclasses import dataclass

from common.html import Html, h
from training.html.chart import Chart, Key
from training.html.svg import Frame, clipped, dot, tick_names, ticks
from training.report.content import percent


@dataclass(frozen=True)
class Row:
    """One line of the chart.

    Attributes:
        colour: its number, 0 to 3.
        test: accuracy on test photos, drawn hollow; None without.
    """

    name: str
    accuracy: float
    interval: tuple[float, float]
    colour: int
    test: float | None = None


def interval_chart(title: str, rows: Sequence[Row], keys: tuple[Key, ...] = ()) -> Chart:
    """Draw one row below the other, the first on top."""
    ends = [bound for row in rows for bound in row.interval] + [row.test for row in rows if row.test is not None]
    label = 24 + label_px([row.name for row in rows])
    frame = Frame((max(0.0, min(ends) - 0.01), min(1.0, max(ends) + 0.01)), (0, len(rows)), 960, 26 * len(rows) + 44,
                  left=label, right=76, top=6, bottom=38)  # fmt: skip
    parts = [upright_grid(frame)]
    for place, row in enumerate(rows):
        parts += _drawn(frame, len(rows) - place - 0.5, row)
    return Chart(frame, title, "; ".join(f"{row.name} {percent(row.accuracy, 2)}" for row in rows), parts, keys)


def label_px(names: Sequence[str]) -> int:
    """About the width of the longest name."""
    return round(6.7 * max(len(clipped(name)) for name in names))


def upright_grid(frame: Frame) -> Html:
    """Upright lines at round shares, with their numbers in per cent."""
    parts: list[Html] = []
    marks = ticks(*frame.x, 8)
    for tick, name in zip(marks, tick_names(marks, per_cent=True), strict=True):
        (x, bottom), (_, top) = frame.at(tick, frame.y[0]), frame.at(tick, frame.y[1])
        parts += [h("line", x1=x, x2=x, y1=bottom, y2=top, class_="grid"),
                  h("text", name, x=x, y=bottom + 20, class_="tick middle")]  # fmt: skip
    return h("g", parts)


def _drawn(frame: Frame, y: float, row: Row) -> list[Html]:
    words = f"{row.name}: {percent(row.accuracy, 2)}, {percent(row.interval[0])} to {percent(row.interval[1])}"
    (start, place), (end, _) = frame.at(row.interval[0], y), frame.at(row.interval[1], y)
    parts = [
        h("text", h("title", row.name), clipped(row.name), x=frame.left - 12, y=place + 4, class_="name end"),
        h("line", x1=start, x2=end, y1=place, y2=place, class_=f"whisker s{row.colour}"),
        dot(frame, row.accuracy, y, f"s{row.colour}", words, 5.5),
        h("text", percent(row.accuracy), x=frame.width - 4, y=place + 4, class_="value end"),
    ]
    if row.test is not None:
        said = f"{row.name}: {percent(row.test, 2)} on test photos"
        parts.append(dot(frame, row.test, y, f"hollow s{row.colour}", said, 4.0))
    return parts
