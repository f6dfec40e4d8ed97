"""Build HTML and SVG with small calls. Everything is escaped, except the markup that `h` returns."""

from collections.abc import Iterable
from html import escape


class Html(str):
    """Finished markup, made by `h` and `join`. All other text is escaped when it is added."""

    __slots__ = ()


Child = str | int | None | Iterable["Child"]

_VOID = frozenset(("br", "hr", "img", "meta"))


def h(tag: str, *children: Child, **attributes: str | float | bool | None) -> Html:
    """Make one element.

    Args:
        children: texts (escaped), `Html` (not escaped), or sequences of both; None is left out.
        attributes: a trailing underscore is dropped (`class_`), other underscores become hyphens. None and False omit
            the attribute; True writes its name only.
    """
    head = f"<{tag}{''.join(_attribute(name, value) for name, value in attributes.items())}>"
    return Html(head if tag in _VOID else f"{head}{join(children)}</{tag}>")


def scrolling(child: Html, words: str) -> Html:
    """Make a box that scrolls by itself, also by keyboard, so that the page never scrolls sideways.

    Args:
        child: what scrolls.
        words: what a screen reader says of it.
    """
    return h("div", child, class_="scroll", tabindex="0", role="region", aria_label=words)


def join(children: Iterable[Child]) -> Html:
    """Concatenate children, and escape those that are not markup."""
    return Html("".join(map(_text, children)))


def _text(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Html):
        return child
    if isinstance(child, str | int):
        return _encodable(escape(str(child)))
    return join(child)


def _attribute(name: str, value: str | float | bool | None) -> str:
    name = name.rstrip("_").replace("_", "-")
    if value is None or value is False:
        return ""
    if value is True:
        return f" {name}"
    shown = f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
    return f' {name}="{_encodable(escape(shown))}"'


def _encodable(text: str) -> str:
    """Replace bytes that are not UTF-8, and NUL, which HTML forbids."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")


def document(title: str, style: str, body: Html) -> str:
    """A whole page. Its Content-Security-Policy forbids requests and scripts."""
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    head = h(
        "head",
        h("meta", charset="utf-8"),
        h("meta", http_equiv="Content-Security-Policy", content=policy),
        h("meta", name="viewport", content="width=device-width, initial-scale=1"),
        h("meta", name="color-scheme", content="light dark"),
        h("meta", name="referrer", content="no-referrer"),
        h("title", title),
        h("style", Html(style)),
    )
    return f"<!doctype html>\n{h('html', head, h('body', body), lang='en')}\n"
