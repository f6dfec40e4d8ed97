"""Find originals that their owner renamed inside the inbox between a crash and the next start."""

from collections.abc import Callable, Iterable
from pathlib import Path

from daemon.files.identity import Identity, is_on_share, look_at
from daemon.ledger.intent import Intent

Paths = Callable[[], Iterable[Path]]
"""Yields the files of the inbox."""
Find = Callable[[Intent], Path | None]
"""Returns the path of a file with the inode, size and time of an intent's file; the caller compares the content."""


def nowhere(_: Intent) -> None:
    """Find nothing."""


class Originals:
    """Searches the inbox once, at the first question; on a share never, because inode numbers change there.

    Args:
        paths: yields the files of the inbox.
        intents: intents whose originals may be asked for.
    """

    def __init__(self, paths: Paths, intents: Iterable[Intent]) -> None:
        self._paths = paths
        self._wanted = {intent.identity[1:] for intent in intents}
        self._found: dict[tuple[int, ...], Path] | None = None

    def find(self, intent: Intent) -> Path | None:
        """Return where the original of an intent may lie."""
        if is_on_share(intent.source.parent):
            return None
        if self._found is None:
            self._found = self._looked()
        return self._found.get(intent.identity[1:])

    def _looked(self) -> dict[tuple[int, ...], Path]:
        found: dict[tuple[int, ...], Path] = {}
        try:
            for path in self._paths():
                identity: Identity | None = look_at(path)
                if identity is not None and identity[1:] in self._wanted:
                    found[identity[1:]] = path
        except OSError:
            pass  # the inbox cannot be listed: the scan says so
        return found
