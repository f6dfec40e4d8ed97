"""Files whose names are those of unfinished uploads, and when each is looked at again: pure logic, time passed in."""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from itertools import islice
from math import inf
from pathlib import Path
from typing import NamedTuple

from common.text import printable
from daemon.files.identity import Identity
from daemon.intake.names.uploads import rest_s
from daemon.process.log_level import Say

SAY_AFTER_S = 60.0
"""An upload takes seconds; a file that keeps its temporary name for longer is worth a sentence."""
NAMED = 3
MAX_KNOWN = 10_000
"""Files remembered; beyond that the oldest are forgotten until the next full scan finds them."""
SPARE = 64
LOOK_AT_ONCE = 64
"""How many of them are looked at after a scan, to notice those that are gone."""


class _Rests(NamedTuple):
    identity: Identity
    since_s: float
    due_s: float


class Unfinished:
    """Remembers such files, so that each is left alone until it has not changed for its time. For one thread.

    Args:
        say: takes a sentence about them, once until none is left.
        say_after_s: how long a file must have been left alone before it is worth the sentence.
    """

    def __init__(self, say: Say = lambda *_: None, say_after_s: float = 0.0) -> None:
        self._say, self._say_after_s = say, say_after_s
        self._known: OrderedDict[Path, _Rests] = OrderedDict()
        self._due: list[tuple[float, Path]] = []
        self._said = False

    def rests(self, path: Path, identity: Identity, now_s: float, unchanged_s: float) -> bool:
        """Tell whether a file is left alone now because of its name.

        Args:
            path: of the file.
            identity: of the file now.
            now_s: the time.
            unchanged_s: age of its last change by the clock of its file system. A change is also a change of its ctime:
                many programs give an unfinished file the time of the photo.
        """
        wait_s = rest_s(path.name)
        if not wait_s:
            return False
        known = self._known.get(path)
        since_s = known.since_s if known is not None and known.identity == identity else now_s
        left_s = wait_s - max(unchanged_s, now_s - since_s)
        if left_s <= 0.0:
            self.forget(path)
            return False
        if known is None or known.identity != identity or known.due_s <= now_s:
            self._known[path] = _Rests(identity, since_s, now_s + left_s)
            heappush(self._due, (now_s + left_s, path))
            if len(self._known) > MAX_KNOWN:
                self._known.popitem(last=False)
            if len(self._due) > 2 * len(self._known) + SPARE:  # a file that changes leaves its old entry in the heap
                self._due = sorted((known.due_s, path) for path, known in self._known.items())
        return True

    def forget(self, path: Path) -> None:
        """Forget a file that is gone or is no longer left alone."""
        self._known.pop(path, None)
        if not self._known:
            self._due.clear()

    def due_s(self) -> float:
        """Return when the next file is to be looked at; infinite if there is none."""
        return self._due[0][0] if self._due else inf

    def due(self, now_s: float) -> Iterator[Path]:
        """Yield files that are due."""
        while self._due and self._due[0][0] <= now_s:
            due_s, path = heappop(self._due)
            known = self._known.get(path)
            if known is not None and known.due_s == due_s:  # else it changed, and has a later entry
                yield path

    def look_at_some(self, look: Callable[[Path], object]) -> None:
        """Look at some of the files, others each time, so that files which are gone are forgotten."""
        for path in list(islice(self._known, LOOK_AT_ONCE)):
            self._known.move_to_end(path)
            look(path)

    def told(self) -> str:
        """Return a sentence about the files that are left alone; empty if there are none. Any thread may call this."""
        known = list(self._known)
        if not known:
            return ""
        named = ", ".join(printable(path.name) for path in known[:NAMED])
        more = f" and {len(known) - NAMED:,} more" if len(known) > NAMED else ""
        return f"left alone for now, because the names are those of unfinished uploads: {named}{more}"

    def tell(self, now_s: float) -> None:
        """Say the sentence once, when a file has been left alone for a while."""
        if not self._known:
            self._said = False
        if not self._said and any(now_s - known.since_s >= self._say_after_s for known in self._known.values()):
            self._said = True
            self._say(self.told())
