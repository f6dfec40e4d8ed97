"""Wikimedia Commons: photos with the licence and the author that people noted for each.

Its API (`/w/api.php`) searches files with `generator=search`, and gives of each one `imageinfo`: `thumburl` of a width,
`descriptionurl`, and `extmetadata` with `License`, `LicenseShortName`, `LicenseUrl`, `Artist` and `Attribution`, which
hold markup. An answer with `continue` holds what to send along for the next one, and one with `error` says `maxlag` or
`ratelimited` when it is busy. Source: https://www.mediawiki.org/wiki/API:Imageinfo, API:Continue, API:Etiquette.
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from collect.errors import BusyError, CollectError
from collect.sources.candidate import Candidate, candidate_of, plain
from collect.sources.service import Service

ADDRESS = "https://commons.wikimedia.org/w/api.php"
PAGE = 50
PAGES = 40
WIDTH_PX = 1280
"""One of the widths that Wikimedia keeps ready; the models need far less."""
_BUSY = ("maxlag", "ratelimited")
_WORDS = {
    "action": "query",
    "format": "json",
    "formatversion": 2,
    "maxlag": 5,
    "generator": "search",
    "gsrnamespace": 6,
    "gsrlimit": PAGE,
    "prop": "imageinfo",
    "iiprop": "url|extmetadata",
    "iiurlwidth": WIDTH_PX,
    "iiextmetadatafilter": "License|LicenseShortName|LicenseUrl|Artist|Attribution|ObjectName",
}


class Commons:
    """Candidates of Wikimedia Commons.

    Args:
        service: asks.
        query: what to search.
        address: of the API.
    """

    name = "commons"

    def __init__(self, service: Service, query: str, address: str = ADDRESS) -> None:
        self._service, self._query, self._address = service, query, address

    def leaves(self) -> str:
        """Return what leaves this machine, and whereto."""
        return f"The query {self._query!r} goes to {self._service.host}, and photos are fetched from Wikimedia."

    def candidates(self) -> Iterator[Candidate]:
        """Yield the results page by page.

        Raises:
            CollectError: the service does not answer.
        """
        more: dict[str, Any] = {}
        for _ in range(PAGES):
            words = {**_WORDS, "gsrsearch": f"{self._query} filetype:bitmap", **more}
            answer = self._service.ask(f"{self._address}?{urlencode(words)}", _check)
            pages = _mapping(answer.get("query")).get("pages")
            listed = [page for page in pages if isinstance(page, dict)] if isinstance(pages, list) else []
            for page in sorted(listed, key=_rank):
                if (found := _candidate(page)) is not None:
                    yield found
            more = _mapping(answer.get("continue"))
            if not more:
                return


def _check(answer: dict[str, Any]) -> None:
    error = _mapping(answer.get("error"))
    if error.get("code") in _BUSY:
        raise BusyError("it is busy", None)
    if error:
        raise CollectError(f"Wikimedia Commons refuses the query: {plain(error.get('info'))}. Pass another --query.")


def _rank(page: dict[str, Any]) -> int:
    index = page.get("index")
    return index if isinstance(index, int) else 0


def _candidate(page: dict[str, Any]) -> Candidate | None:
    """The candidate of one file; None if its facts come with a later answer, or it has none."""
    listed = page.get("imageinfo")
    info = _mapping(listed[0] if isinstance(listed, list) and listed else None)
    facts = {name: _mapping(fact).get("value") for name, fact in _mapping(info.get("extmetadata")).items()}
    return candidate_of(
        {
            "url": info.get("thumburl") or info.get("url"),
            "licence": facts.get("LicenseShortName") or facts.get("License"),
            "licence_url": facts.get("LicenseUrl"),
            "creator": facts.get("Artist"),
            "attribution": facts.get("Attribution"),
            "title": facts.get("ObjectName") or page.get("title"),
            "page": info.get("descriptionurl"),
        }
    )


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
