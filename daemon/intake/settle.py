"""When a file is ready to be read: pure logic, time passed in, nothing opened.

The cases from the field that it exists for:
- a photo moved in is whole at once, and waits for nothing;
- a photo copied in is announced when its writer closes it; some writers open and close several times, so it must then
  stay unchanged for a short moment;
- a file found by scan may be half-written by a writer that nobody announces (a network share, a lost event): it must
  look the same twice, or have been left alone for longer than that, which is what a backlog has;
- on a share, where sizes are told late, and where the file will be copied and then removed (its writer would go on
  into nothing), that is not enough: found there, it must look the same for longer;
- a file that changes between the looks starts its wait anew;
- a file that a program holds open for writing has not settled, however long nothing is written: an upload that stalls.
  It is asked about ever more rarely, and at once when a writer closes it.
"""

import heapq
from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from daemon.files.identity import Identity

COARSE_S = 2.0
"""How far a time of change may lie before the change: file systems of cards and sticks keep times to two seconds."""


HELD_S = (1.0, 2.0, 4.0, 8.0)
"""Times between looks at a file that is held open."""


class Trigger(Enum):
    """What drew attention to a file."""

    MOVED_IN = "moved in"
    CLOSED = "closed after writing"
    FOUND = "found by scan"


class Settled(NamedTuple):
    """When a settled file was first noticed, and by what sign."""

    since_s: float
    sign: Trigger


class _Waiting(NamedTuple):
    identity: Identity
    sign: Trigger
    far: bool
    since_s: float
    due_s: float


class _Held(NamedTuple):
    since_s: float
    looks: int


class Settler:
    """Keeps files until they have settled. A file is known by its path, and its state by its identity.

    Args:
        closed_s: how long a file that was closed after writing must stay unchanged.
        found_s: time between the two looks at a file that was found.
        far_s: the same, on a share and where it is filed to another file system.
    """

    def __init__(self, closed_s: float = 0.05, found_s: float = 0.25, far_s: float = 2.0) -> None:
        near_s = {Trigger.MOVED_IN: 0.0, Trigger.CLOSED: closed_s, Trigger.FOUND: found_s}
        self._wait_s = {False: near_s, True: {**near_s, Trigger.FOUND: far_s}}
        self._waiting: dict[Path, _Waiting] = {}
        self._held: dict[Path, _Held] = {}
        self._due: list[tuple[float, int, Path]] = []
        self._count = 0

    def __len__(self) -> int:
        """Return how many wait, without those that are held open, which may be for ever."""
        return len(self._waiting) - len(self._held)

    def held_s(self) -> dict[Path, float]:
        """Return since when each file is known to be held open for writing; another thread may ask."""
        return {path: held.since_s for path, held in list(self._held.items())}

    def __contains__(self, path: Path) -> bool:
        return path in self._waiting

    def since_s(self) -> dict[Path, float]:
        """Return when each file that waits was noticed; another thread may ask."""
        return {path: waiting.since_s for path, waiting in list(self._waiting.items())}

    def see(
        self,
        path: Path,
        identity: Identity,
        sign: Trigger,
        now_s: float,
        unchanged_s: float = 0.0,
        *,
        far: bool = False,
    ) -> bool:
        """Take note of a file; a stronger sign than the one known hastens it, a weaker one changes nothing.

        Args:
            path: of the file.
            identity: what it looks like now.
            sign: by which it was noticed.
            now_s: the time.
            unchanged_s: age of its last change, by the clock of the file system; negative if that lies in the future.
            far: it lies on a share, which has a clock of its own, or will be filed to another file system.

        Returns:
            Whether it need not wait, so that this look may count as the second one too.
        """
        known, waits_s = self._waiting.get(path), self._wait_s[far]
        if known is not None and known.identity == identity and not self._hastens(path, sign, known.sign, waits_s):
            return False
        since_s = now_s if known is None else known.since_s
        rests = sign is Trigger.FOUND and not far and unchanged_s >= waits_s[sign] + COARSE_S
        wait_s = 0.0 if rests else waits_s[sign]
        self._wait(path, _Waiting(identity, sign, far, since_s, now_s + wait_s))
        return wait_s == 0.0

    def next_due_s(self) -> float | None:
        """Return the time of the next look, or None when nothing waits."""
        while self._due:
            due_s, _, path = self._due[0]
            known = self._waiting.get(path)
            if known is not None and known.due_s == due_s:
                return due_s
            heapq.heappop(self._due)
        return None

    def due(self, now_s: float) -> list[Path]:
        """Return the files to look at now, in the order of their due time."""
        paths = []
        while (due_s := self.next_due_s()) is not None and due_s <= now_s:
            paths.append(heapq.heappop(self._due)[2])
        return paths

    def is_due(self, path: Path, at_s: float) -> bool:
        """Tell whether a file waits for a second look, and one that began at that time may count as it."""
        known = self._waiting.get(path)
        return known is not None and known.due_s <= at_s

    def look(
        self, path: Path, identity: Identity, now_s: float, is_held: Callable[[], bool] = lambda: False
    ) -> Settled | None:
        """Say what a due file looks like now: what is known of it, if it has settled (it is then forgotten here).

        Args:
            path: of the file.
            identity: what it looks like now.
            now_s: the time.
            is_held: tells whether a program holds it open for writing; asked of what has not changed.
        """
        known = self._waiting[path]
        if known.identity != identity:
            sign = Trigger.CLOSED if known.sign is Trigger.MOVED_IN else known.sign
            self._wait(path, known._replace(identity=identity, sign=sign, due_s=now_s + self._wait_s[known.far][sign]))
        elif is_held():
            since_s, looks = self._held.get(path, (now_s, 0))
            self._held[path] = _Held(since_s, looks + 1)
            self._wait(path, known._replace(due_s=now_s + HELD_S[min(looks, len(HELD_S) - 1)]))
        else:
            self.forget(path)
            return Settled(known.since_s, known.sign)
        return None

    def forget(self, path: Path) -> None:
        """Drop a file that is gone."""
        self._waiting.pop(path, None)
        self._held.pop(path, None)

    def _hastens(self, path: Path, sign: Trigger, known: Trigger, waits_s: Mapping[Trigger, float]) -> bool:
        return waits_s[sign] < waits_s[known] or (sign is not Trigger.FOUND and path in self._held)

    def _wait(self, path: Path, waiting: _Waiting) -> None:
        self._waiting[path] = waiting
        self._count += 1
        heapq.heappush(self._due, (waiting.due_s, self._count, path))
