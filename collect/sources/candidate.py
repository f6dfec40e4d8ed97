"""One candidate: where a photo lies, and what is owed for it. All text of strangers is made plain here."""

from collections.abc import Mapping
from html.parser import HTMLParser
from typing import NamedTuple

from common.licences import code_of

MOST_CHARACTERS = 500
MOST_URL_CHARACTERS = 2_000


class Candidate(NamedTuple):
    """A photo that a source names.

    Attributes:
        url: of the photo itself.
        licence: a code of `common.licences`; empty if it is unknown.
        licence_url, creator, attribution, title, page: plain text of one line each; empty if unknown.
    """

    url: str
    licence: str
    licence_url: str = ""
    creator: str = ""
    attribution: str = ""
    title: str = ""
    page: str = ""


def candidate_of(fields: Mapping[str, object]) -> Candidate | None:
    """Return the candidate that a source describes; None if it names no URL.

    Args:
        fields: `url` and `licence` (or `license`), and if known `licence_url` (or `license_url`), `creator`,
            `attribution`, `title` and `page` (or `foreign_landing_url`). What is no text counts as missing.
    """
    url = _url(fields.get("url"))
    if not url:
        return None
    licence = plain(fields.get("licence") or fields.get("license"))
    licence_url = _url(fields.get("licence_url") or fields.get("license_url"))
    page = _url(fields.get("page") or fields.get("foreign_landing_url"))
    title, creator = plain(fields.get("title")), plain(fields.get("creator"))
    attribution = plain(fields.get("attribution")) or _attribution(title, creator, licence, licence_url, page or url)
    return Candidate(url, code_of(licence), licence_url, creator, attribution, title, page)


def plain(value: object) -> str:
    """Return a stranger's text without markup, on one line, with printable characters alone, and not too long."""
    if not isinstance(value, str):
        return ""
    reader = _Text()
    reader.feed(value[: 8 * MOST_CHARACTERS])
    reader.close()
    words = " ".join("".join(reader.found).split())
    return "".join(filter(str.isprintable, words))[:MOST_CHARACTERS]


def _url(value: object) -> str:
    """An address as it is, or nothing: no address holds spaces, quotes, tags or control characters."""
    if not isinstance(value, str) or len(value) > MOST_URL_CHARACTERS:
        return ""
    fit = value.isprintable() and not any(character in " <>\"'`\\" for character in value)
    return value if fit and "://" in value else ""


def _attribution(title: str, creator: str, licence: str, licence_url: str, where: str) -> str:
    work = f'"{title}"' if title else "A photo"
    by = f" by {creator}" if creator else ""
    terms = f", {licence}" + (f" ({licence_url})" if licence_url else "") if licence else ""
    return f"{work}{by}{terms}, {where}"


class _Text(HTMLParser):
    """Gathers what markup shows: neither tags nor scripts."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self._hidden = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden = tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self._hidden = False

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.found.append(data)
