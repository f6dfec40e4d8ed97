"""Openverse: an index of openly licensed photos of many museums, archives and sites.

Its API (`GET /v1/images/`) takes `q`, `license` (codes, separated by commas), `page` and `page_size`, and answers with
`page_count` and `results`, whose fields are those of a candidate. Who asks without a key gets at most 20 results a
page and 240 in all. Source: the API's own documentation, https://api.openverse.org/v1/, and WordPress/openverse.
"""

from collections.abc import Iterator, Sequence
from urllib.parse import urlencode

from collect.sources.candidate import Candidate, candidate_of
from collect.sources.service import Service

ADDRESS = "https://api.openverse.org/v1/images/"
PAGE = 20
PAGES = 12


class Openverse:
    """Candidates of Openverse.

    Args:
        service: asks.
        query: what to search.
        licences: codes.
        address: of the API.
    """

    name = "openverse"

    def __init__(self, service: Service, query: str, licences: Sequence[str], address: str = ADDRESS) -> None:
        self._service, self._query, self._licences, self._address = service, query, licences, address

    def leaves(self) -> str:
        """Return what leaves this machine, and whereto."""
        return (
            f"The query {self._query!r} goes to {self._service.host}, and the hosts that it names are asked for photos."
        )

    def candidates(self) -> Iterator[Candidate]:
        """Yield the results page by page.

        Raises:
            CollectError: the service does not answer.
        """
        for page in range(1, PAGES + 1):
            words = {"q": self._query, "license": ",".join(self._licences), "page_size": PAGE, "page": page}
            answer = self._service.ask(f"{self._address}?{urlencode(words)}")
            results = answer.get("results")
            if not isinstance(results, list):
                return
            found = (candidate_of(each) for each in results if isinstance(each, dict))
            yield from (each for each in found if each is not None)
            last = answer.get("page_count")
            if not results or not isinstance(last, int) or page >= last:
                return
