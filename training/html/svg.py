"""The parts of charts as SVG: axes, lines, dots and intervals in a frame; their colours come from a stylesheet."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import floor, isfinite, log10

from common.html import Html, h

Point = tuple[float, float]
LABEL = 44  # characters of a name; longer ones are cut


@dataclass(frozen=True)
class Frame:
    """The area of a plot: data ranges and pixels. The margins hold the tick labels and axis names."""

    x: tuple[float, float]
    y: tuple[float, float]
    width: int = 520
    height: int = 320
    left: int = 68
    right: int = 18
    top: int = 14
    bottom: int = 50

    def at(self, x: float, y: float) -> Point:
        """Position of a value in pixels."""
        (x0, x1), (y0, y1) = self.x, self.y
        across = (x - x0) / (x1 - x0 or 1.0)
        up = (y - y0) / (y1 - y0 or 1.0)
        return (
            self.left + across * (self.width - self.left - self.right),
            self.height - self.bottom - up * (self.height - self.top - self.bottom),
        )


def axes(frame: Frame, x_name: str, y_name: str, per_cent: str = "", whole_x: bool = False) -> Html:
    """Grid lines, their numbers, and the names of both axes.

    Args:
        per_cent: axes that show per cent: ``, `x`, `y` or `xy`.
        whole_x: only whole numbers along x.
    """
    x_ticks = [tick for tick in ticks(*frame.x) if not whole_x or tick == round(tick)]
    y_ticks = ticks(*frame.y)
    parts: list[Html] = []
    for tick, name in zip(y_ticks, tick_names(y_ticks, "y" in per_cent), strict=True):
        (x0, y), (x1, _) = frame.at(frame.x[0], tick), frame.at(frame.x[1], tick)
        parts.append(h("line", x1=x0, x2=x1, y1=y, y2=y, class_="grid"))
        parts.append(h("text", name, x=x0 - 8, y=y + 4, class_="tick end"))
    base = frame.at(frame.x[0], frame.y[0])[1]
    for tick, name in zip(x_ticks, tick_names(x_ticks, "x" in per_cent), strict=True):
        x, _ = frame.at(tick, frame.y[0])
        parts.append(h("line", x1=x, x2=x, y1=base, y2=base + 4, class_="axis"))
        parts.append(h("text", name, x=x, y=base + 18, class_="tick middle"))
    middle_x = (frame.left + frame.width - frame.right) / 2
    middle_y = (frame.top + frame.height - frame.bottom) / 2
    parts.append(h("text", x_name, x=middle_x, y=frame.height - 8, class_="name middle"))
    parts.append(h("text", y_name, x=13, y=middle_y, class_="name middle", transform=f"rotate(-90 13 {middle_y:.1f})"))
    return h("g", parts)


def line(frame: Frame, points: Iterable[Point], class_: str) -> Html:
    """A line through values; NaN and infinities are left out."""
    places = [frame.at(x, y) for x, y in points if isfinite(x) and isfinite(y)]
    return h("polyline", points=" ".join(f"{x:.1f},{y:.1f}" for x, y in places), class_=f"line {class_}")


def band(frame: Frame, xs: Sequence[float], low: Sequence[float], high: Sequence[float], class_: str) -> Html:
    """The area between two lines, cut at the frame."""
    least, most = frame.y
    outline = [*zip(xs, high, strict=True), *reversed(list(zip(xs, low, strict=True)))]
    places = [frame.at(x, min(most, max(least, y))) for x, y in outline]
    return h("polygon", points=" ".join(f"{x:.1f},{y:.1f}" for x, y in places), class_=f"band {class_}")


def whisker(frame: Frame, x: float, low: float, high: float, class_: str) -> Html:
    """A vertical interval."""
    (place, bottom), (_, top) = frame.at(x, low), frame.at(x, high)
    return h("line", x1=place, x2=place, y1=bottom, y2=top, class_=f"whisker {class_}")


def dot(frame: Frame, x: float, y: float, class_: str, words: str, radius: float = 4.0) -> Html:
    """A value as a dot with a tooltip."""
    cx, cy = frame.at(x, y)
    return h("circle", h("title", words), cx=cx, cy=cy, r=radius, class_=f"dot {class_}")


def ticks(low: float, high: float, wanted: int = 6) -> list[float]:
    """About `wanted` round numbers in a range, 1, 2 or 5 times a power of ten apart."""
    span = high - low
    if span <= 0:
        return [low]
    rough = span / wanted
    power = 10.0 ** floor(log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first = -floor(-(low - step * 1e-6) / step)
    last = floor((high + step * 1e-6) / step)
    return [round(number * step, 10) for number in range(first, last + 1)]


def tick_names(values: Sequence[float], per_cent: bool) -> list[str]:
    """Format numbers with enough digits to distinguish them."""
    scaled = [100 * value for value in values] if per_cent else list(values)
    digits = next((n for n in range(6) if all(abs(round(value, n) - value) < 1e-6 for value in scaled)), 6)
    return [f"{value:.{digits}f}{' %' if per_cent else ''}" for value in scaled]


def clipped(name: str) -> str:
    """Shorten a name to leave room for the chart."""
    return name if len(name) <= LABEL else f"{name[: LABEL - 1]}\N{HORIZONTAL ELLIPSIS}"
