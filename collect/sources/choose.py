"""Which source `--from` names."""

from collections.abc import Sequence
from pathlib import Path

from collect.errors import CollectError
from collect.sources import commons, openverse
from collect.sources.command import Command
from collect.sources.listed import Listed
from collect.sources.service import Service, Source
from collect.web.fetch import Fetcher
from collect.web.retry_after import Wait
from common.text import printable

FORMS = "openverse, commons, list:FILE or command:PROGRAM"


def source_of(text: str, query: str, licences: Sequence[str], fetcher: Fetcher, wait: Wait) -> Source:
    """Return the source that a text names.

    Raises:
        CollectError: it names none.
    """
    kind, _, rest = text.partition(":")
    if text == "openverse":
        return openverse.Openverse(Service("api.openverse.org", fetcher, wait), query, licences)
    if text == "commons":
        return commons.Commons(Service("commons.wikimedia.org", fetcher, wait), query)
    if kind == "list" and rest:
        return Listed(Path(rest))
    if kind == "command" and rest:
        return Command(rest)
    raise CollectError(f"{printable(text)!r} is no source. Pass --from {FORMS}.")
