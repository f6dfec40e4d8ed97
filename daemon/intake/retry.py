"""Files that could not be filed, and when each may be retried: pure logic, time passed in."""

import os
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from itertools import islice
from math import inf
from pathlib import Path

from common.errors import Reason
from daemon.files.identity import Identity
from daemon.intake.blocked import BlockedPlaces
from daemon.intake.unfinished import SAY_AFTER_S, Unfinished
from daemon.photo import Outcome, Photo
from daemon.process.clock import back_off_s
from daemon.process.log_level import Say
from daemon.queues import Blocked

LONGEST_S = 8.0
"""Longest time between two tries of a photo. One that only waits for its place is tried ever more rarely."""
TRIES_OF_ONE_PASS = 3
ASK_AGAIN_S = 60.0
"""How long a handled file is left alone before the ledger is asked again, because `retry` may have released it."""
MAX_KNOWN = 200_000
"""Files remembered; beyond that the oldest are forgotten and looked at again."""

Known = Callable[[Path, Identity], bool]


@dataclass(frozen=True, slots=True)
class _Known:
    """A file that stays in the inbox. With 0 tries it was handled already, and is left alone until `again_s`."""

    identity: Identity
    since_s: float
    tries: int
    again_s: float


class Retries:
    """Remembers files that stayed in the inbox, so that they are neither retried in a hot loop nor forgotten.

    Args:
        for_ever: whether an obstacle that is not the photo's fault is retried until it goes away. Otherwise, as in one
            pass, a file gets `TRIES_OF_ONE_PASS` tries.
        known: tells whether an earlier run has handled a file: copied it, linked it, or undone it.
        say: takes a sentence about files that are left alone because of their names.

    Attributes:
        unfinished: files that are left alone because of their names.
    """

    def __init__(self, *, for_ever: bool, known: Known = lambda *_: False, say: Say = lambda *_: None) -> None:
        self._for_ever = for_ever
        self._known_before = known
        self._known: OrderedDict[Path, _Known] = OrderedDict()
        self._pending: set[Path] = set()
        self._due: list[tuple[float, Path]] = []
        self._blocked = BlockedPlaces()
        self.unfinished = Unfinished(say, SAY_AFTER_S if for_ever else 0.0)

    def blocked(self) -> list[Blocked]:
        """Return the unusable places, and how many photos wait for each. Any thread may call this."""
        return self._blocked.told()

    def pending(self) -> bool:
        """Tell whether any file is still to be retried."""
        return bool(self._pending)

    def rests(self, path: Path) -> bool:
        """Tell whether a file that may not be tried now is left alone until it changes."""
        return path not in self._pending

    def waiting(self, most: int) -> tuple[set[Path], float]:
        """Return the files to retry, and since when the oldest of `most` of them waits. Any thread may call this.

        If there is no such file, the time is infinite.
        """
        pending = self._pending.copy()
        known = (self._known.get(path) for path in islice(pending, most))
        return pending, min((one.since_s for one in known if one is not None), default=inf)

    def may_try(self, path: Path, identity: Identity, now_s: float, unchanged_s: float = 0.0) -> bool:
        """Tell whether a file is new, has changed, or has waited long enough.

        Args:
            path: of the file.
            identity: of the file now.
            now_s: the time.
            unchanged_s: age of its last change, as far as its clock can be trusted.
        """
        if self.unfinished.rests(path, identity, now_s, unchanged_s):
            return False
        known = self._known.get(path)
        if known is not None and known.identity == identity and (known.tries or now_s < known.again_s):
            return now_s >= known.again_s and not self._blocked.holds(path)
        if not self._known_before(path, identity):
            return True
        self._forget(path)
        self._remember(path, _Known(identity, now_s, 0, now_s + ASK_AGAIN_S))
        return False

    def waited_s(self, path: Path, identity: Identity, now_s: float) -> float:
        """Return the seconds since this very file first came back; 0 for a new or changed file."""
        known = self._known.get(path)
        return now_s - known.since_s if known is not None and known.identity == identity else 0.0

    def record(self, photo: Photo, now_s: float) -> float | None:
        """Record the outcome of a photo; return when to look at it again, or None for never.

        Of all photos that wait for one place only one is retried, with growing pauses. Once a photo is filed there, all
        others are retried.
        """
        known = self._known.get(photo.path)
        self._note_place(photo, now_s)
        self._pending.discard(photo.path)
        self._known.pop(photo.path, None)
        if photo.filing.stays:
            self._remember(photo.path, _Known(photo.found.identity, now_s, 0, now_s + ASK_AGAIN_S))
            return None
        if photo.filing.outcome not in (Outcome.AGAIN, Outcome.LEFT):
            return None
        if known is None or known.identity != photo.found.identity:
            known = _Known(photo.found.identity, now_s, 0, 0.0)
        wait_s = back_off_s(known.tries) if photo.filing.waits_for else back_off_s(known.tries, LONGEST_S)
        again_s = now_s + min(wait_s, photo.judgement.again_within_s)
        # UNREADABLE is an obstacle too. Without a limit of tries, one pass over such a file would never end.
        obstacle = (
            bool(photo.filing.folder)
            or photo.judgement.fault is None
            or photo.judgement.fault.reason is Reason.UNREADABLE
        )
        spent = obstacle and not self._for_ever and known.tries + 1 >= TRIES_OF_ONE_PASS
        if photo.filing.outcome is Outcome.LEFT or spent:
            again_s = inf
        self._remember(photo.path, _Known(photo.found.identity, known.since_s, known.tries + 1, again_s))
        if spent and photo.filing.waits_for:
            self._give_up(photo.filing.waits_for)
        return again_s if again_s < inf else None

    def due_s(self) -> float:
        """Return when the next file is to be retried; infinite if there is none."""
        return min(self._due[0][0] if self._due else inf, self.unfinished.due_s())

    def due(self, now_s: float, most: int) -> Iterator[Path]:
        """Yield up to `most` files that are due, and those whose names no longer matter."""
        yield from self.unfinished.due(now_s)
        while most > 0 and self._due and self._due[0][0] <= now_s:
            at_s, path = heappop(self._due)
            known = self._known.get(path)
            # A file that was rescheduled leaves its old entry in the heap; without this check it would be tried twice.
            if known is not None and known.again_s == at_s and not self._blocked.holds(path):
                most -= 1
                yield path

    def forget(self, path: Path, now_s: float) -> None:
        """Forget a file that is gone."""
        self._forget(path)
        self._wake(self._blocked.drop(path), now_s)

    def let_others_try(self, path: Path, now_s: float) -> None:
        """Let another photo be tried for the same place, because this one changes or is held open."""
        self._wake(self._blocked.drop(path), now_s)

    def _note_place(self, photo: Photo, now_s: float) -> None:
        if photo.filing.waits_for:
            self._wake(self._blocked.add(photo.path, photo.filing.waits_for, photo.filing.reason), now_s)
            return
        if photo.filing.destination is not None:
            for place in (photo.filing.folder, os.path.split(photo.path)[0]):
                self._wake(self._blocked.free(place), now_s)
        self._wake(self._blocked.drop(photo.path), now_s)

    def _wake(self, paths: list[Path], now_s: float) -> None:
        """Retry files whose place may be usable now: at once, or soon if they were just tried.

        The delay keeps a photo with a trouble of its own from being retried with each photo that is filed there.
        """
        for path in paths:
            known = self._known.get(path)
            if known is not None and path in self._pending:
                again_s = max(now_s, min(known.again_s, now_s + LONGEST_S))
                self._known[path] = replace(known, again_s=again_s)
                heappush(self._due, (again_s, path))

    def _give_up(self, place: str) -> None:
        for path in self._blocked.free(place):
            self._pending.discard(path)
            self._known[path] = replace(self._known[path], again_s=inf)

    def look_at_overdue(self, now_s: float, look: Callable[[Path], object]) -> None:
        """Look at overdue files, so that files which are gone are forgotten."""
        for path in list(self._pending):
            if self._known[path].again_s <= now_s:
                look(path)
        self.unfinished.look_at_some(look)

    def _remember(self, path: Path, known: _Known) -> None:
        self._known[path] = known
        if known.tries and known.again_s < inf:
            self._pending.add(path)
            if not self._blocked.holds(path):
                heappush(self._due, (known.again_s, path))
        if len(self._known) > MAX_KNOWN:
            self.forget(next(iter(self._known)), known.since_s)

    def _forget(self, path: Path) -> _Known | None:
        self.unfinished.forget(path)
        self._pending.discard(path)
        return self._known.pop(path, None)
