"""The frame that every page shares: one stylesheet, headline, links to the sections, footer."""

from collections.abc import Sequence
from pathlib import Path

from common.html import Child, Html, document, h

STYLE = Path(__file__).with_name("page.css")
Part = tuple[str, str, Html]
"""A section with its name, and its title in the links above the page."""


def style() -> str:
    """The stylesheet of all pages."""
    return STYLE.read_text(encoding="utf-8")


def section(name: str, title: str, *children: Child) -> Html:
    """A section that the navigation links to."""
    return h("section", h("h2", title, id=f"{name}-title"), children, id=name, aria_labelledby=f"{name}-title")


def note(*words: Child) -> Html:
    """A remark in small type."""
    return h("p", words, class_="note")


def interval_bar(low: float, point: float, high: float, class_: str = "") -> Html:
    """A bar from `low` to `high` with a mark at `point`, all shares of its width, 0 to 1."""
    span = h("i", class_="range", style=f"left:{100 * low:.2f}%;width:{100 * (high - low):.2f}%")
    mark = h("i", class_="point", style=f"left:{100 * point:.2f}%")
    return h("div", span, mark, class_=f"interval {class_}".strip(), aria_hidden="true")


def framed(title: str, source: str, parts: Sequence[Part], above: Child = None, below: Child = None) -> str:
    """A whole page as one self-contained HTML file.

    Args:
        source: one line below the headline; empty for none.
        parts: the sections in their order; the links above the page lead to them.
        above, below: what stands before and after the sections without a link.
    """
    links = h("nav", [h("a", words, href=f"#{name}") for name, words, _ in parts], aria_label="Sections")
    head = h("header", h("h1", title), h("p", source, class_="source") if source else None)
    main = h("main", above, [part for _, _, part in parts], below, id="main")
    foot = h("footer", "Written by phototriage. This file holds everything it shows and loads nothing.")
    skip = h("a", "To the figures", href="#main", class_="skip")
    return document(title, style(), h("div", skip, head, links, main, foot))
