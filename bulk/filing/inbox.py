"""Where the rows of results lie in the inbox, if they lie in it at all, and which of its files are left alone."""

from functools import lru_cache
from pathlib import Path

from bulk.storage import local_path
from daemon.intake.filters import PathFilter, why_left

FOLDERS = 4096
"""Folders that are remembered: photos of one folder follow each other in results."""


class InboxPaths:
    """Finds rows in an inbox; any thread may use it.

    Args:
        given: the inbox as the user names it; a plan may hold its photos under this name.
        inbox: the same without links.
        output: root of the class folders, which may lie in the inbox.

    Attributes:
        filter: which names are left alone.
        takes: tells by its path whether a file is not left alone.
    """

    def __init__(self, given: Path, inbox: Path, output: Path) -> None:
        self._roots = tuple(dict.fromkeys((inbox, given.absolute())))
        self._inbox, self._output = inbox, output
        self.filter = PathFilter(inbox, recursive=True, left_out=[output])
        self.takes = self.filter.takes
        self._enters = lru_cache(FOLDERS)(self._enters_now)

    def find(self, path: str) -> Path | None:
        """Return a row's file in the inbox, as a path without links to the inbox; None if it lies elsewhere."""
        place = local_path(path)
        if place is None or ".." in place.parts:
            return None
        root = next((root for root in self._roots if place.is_relative_to(root)), None)
        if root is None:
            return None
        here = self._inbox / place.relative_to(root)
        return None if here == self._inbox or here.is_relative_to(self._output) else here

    def why_left(self, path: Path) -> str:
        """Return why a file of the inbox is left alone, as `sort` leaves it alone; empty if it is not."""
        if self.takes(path) and self._enters(path.parent):
            return ""
        return f"`sort --recursive` leaves it alone, too{why_left(path, self._inbox)}"

    def _enters_now(self, folder: Path) -> bool:
        if folder == self._inbox:
            return True
        return self.filter.enters(folder) and bool(self._enters(folder.parent))
