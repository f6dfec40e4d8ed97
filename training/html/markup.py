"""HTML and SVG by small calls, escaped by construction: only what `h` returned may stand in a page unescaped."""

from collections.abc import Iterable
from html import escape


class Html(str):
    """Text that is markup already. Made by `h` and `join`; everything else is escaped where it goes in."""

    __slots__ = ()


Child = str | int | None | Iterable["Child"]

_VOID = frozenset(("br", "hr", "img", "meta"))


def h(tag: str, *children: Child, **attributes: str | float | bool | None) -> Html:
    """Make one element.

    Args:
        children: texts, which are escaped, `Html`, which is not, or sequences of both; None is left out.
        attributes: a trailing underscore is dropped (`class_`), others become hyphens; None and False leave the
            attribute out, True writes its bare name.
    """
    head = f"<{tag}{''.join(_attribute(name, value) for name, value in attributes.items())}>"
    return Html(head if tag in _VOID else f"{head}{join(children)}</{tag}>")


def join(children: Iterable[Child]) -> Html:
    """Put children one after another, escaping what is no markup yet."""
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
    """Names may hold bytes that are no UTF-8, and NUL, which no page may hold."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")


def document(title: str, style: str, body: Html) -> str:
    """A whole page that may load nothing and run nothing: its own policy forbids requests and scripts."""
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
