"""What a source is, and how the answer of a service is read."""

import json
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from collect.errors import BusyError, CollectError, FetchError
from collect.sources.candidate import Candidate
from collect.web.fetch import Fetcher
from collect.web.retry_after import Pauses, Wait, patiently


class Source(Protocol):
    """Finds candidates.

    Attributes:
        name: as it stands in sources.csv.
    """

    name: str

    def leaves(self) -> str:
        """Return what leaves this machine, and whereto, as a sentence."""

    def candidates(self) -> Iterator[Candidate]:
        """Yield candidates, the best ones first. CollectError ends the collection."""


class Service:
    """Asks one service for JSON.

    Args:
        host: as people know it.
        fetcher: asks.
        wait: sleeps.
    """

    def __init__(self, host: str, fetcher: Fetcher, wait: Wait) -> None:
        self.host, self._fetcher, self._pauses = host, fetcher, Pauses(wait)

    def ask(self, url: str, look: Callable[[dict[str, Any]], None] = lambda _: None) -> dict[str, Any]:
        """Return the object that the service answers with.

        Args:
            look: raises BusyError if the object says so.

        Raises:
            CollectError: it does not answer, is busy for longer, or answers with something else.
        """

        def once() -> dict[str, Any]:
            value = _object(self._fetcher.answer(url))
            look(value)
            return value

        try:
            return patiently(once, self._pauses)
        except BusyError as busy:
            asked = "" if busy.wait_s is None else f" It asks to wait {busy.wait_s:.0f} s."
            raise CollectError(
                f"{self.host} is busy.{asked} What was collected is kept: run the same command again later."
            ) from busy
        except FetchError as error:
            raise CollectError(
                f"{self.host} cannot be asked: {error}. What was collected is kept: run the same command again."
            ) from error


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise FetchError("its answer is no JSON") from error
    if not isinstance(value, dict):
        raise FetchError("its answer is no JSON object")
    return value
