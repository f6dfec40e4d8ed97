"""A chart, drawn once: inline in a page, and as an SVG file of its own for slides and image viewers."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from common.html import Child, Html, h
from common.page import style
from common.publish import publish_bytes
from training.html.svg import Frame

FIGURES = "figures"
"""The folder beside a page that holds its charts."""
FONT = "system-ui, 'Segoe UI', Roboto, 'DejaVu Sans', Arial, sans-serif"
MARGIN_PX, TITLE_PX, KEY_PX = 14, 40, 20
_NOT_XML = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")

Key = tuple[str, str]
"""A sign and its meaning. The sign is the class of what is drawn: `line s0`, `dot s1`, `dot hollow s0`, `mark`."""


@dataclass(frozen=True)
class Chart:
    """A drawn chart.

    Attributes:
        frame: its area.
        title: what it shows.
        description: its values in words, for screen readers.
        parts: what is drawn in the frame.
        keys: the legend.
    """

    frame: Frame
    title: str
    description: str
    parts: Child
    keys: tuple[Key, ...] = ()

    def svg(self) -> Html:
        """The chart for a page, whose stylesheet gives it colours; without the legend."""
        box, label = f"0 0 {self.frame.width} {self.frame.height}", f"{self.title}. {self.description}"
        return h("svg", self.parts, viewBox=box, role="img", aria_label=label, class_="chart")

    def keyed(self) -> Html:
        """The chart for a page, below its legend."""
        return h("div", legend(self.keys) if self.keys else None, self.svg())

    def file(self) -> str:
        """The chart as a whole SVG file: title, legend, font, white background, and colours without variables."""
        top = TITLE_PX + KEY_PX * len(self.keys)
        width, height = self.frame.width + 2 * MARGIN_PX, self.frame.height + top + MARGIN_PX
        parts = [
            h("style", Html(_plain_style())),
            h("rect", width=width, height=height, fill="#ffffff"),
            h("text", self.title, x=MARGIN_PX, y=26, font_weight="bold", class_="name"),
            [_signed(key, TITLE_PX + KEY_PX * place) for place, key in enumerate(self.keys)],
            h("g", self.parts, transform=f"translate({MARGIN_PX} {top})"),
        ]
        whole = h("svg", parts, xmlns="http://www.w3.org/2000/svg", width=width, height=height, font_family=FONT,
                  viewBox=f"0 0 {width} {height}", role="img", class_="chart",
                  aria_label=f"{self.title}. {self.description}")  # fmt: skip
        return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", f"{whole}\n")


def legend(keys: Iterable[Key]) -> Html:
    """The signs of charts with their meanings, for a page."""
    return h("p", [h("span", words, class_=f"key {sign}") for sign, words in keys], class_="legend")


def _signed(key: Key, y: float) -> Html:
    """A line of the legend of a file."""
    sign, words = key
    middle = y + KEY_PX / 2
    if sign.startswith("dot"):
        drawn = h("circle", cx=MARGIN_PX + 11, cy=middle, r=5, class_=sign)
    else:
        drawn = h("line", x1=MARGIN_PX, x2=MARGIN_PX + 22, y1=middle, y2=middle, class_=sign)
    return h("g", drawn, h("text", words, x=MARGIN_PX + 30, y=middle + 4))


def _plain_style() -> str:
    """The rules for charts in the light colours of the page: image viewers know no variables."""
    text = style()
    colours = dict(re.findall(r"--([\w-]+): (#\w+)", text.partition("@media")[0]))
    rules = "\n".join(re.findall(r"^\.chart [.\w].*$", text, re.MULTILINE))
    return re.sub(r"var\(--([\w-]+)\)", lambda found: colours[found[1]], rules)


def write_charts(folder: Path, charts: Mapping[str, Chart]) -> None:
    """Write each chart into `folder` as NAME.svg; the folder is made if it is missing.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, drawn in charts.items():
        publish_bytes(folder / f"{name}.svg", drawn.file().encode("utf-8"))
