"""What could not be filed, and when it may be tried again: pure logic, time passed in."""

import os
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from itertools import islice
from math import inf
from pathlib import Path

from contract.errors import Reason
from daemon.files.identity import Identity
from daemon.intake.blocked import BlockedPlaces
from daemon.photo import Outcome, Photo
from daemon.queues import Blocked

BACK_OFF_S = (1.0, 2.0, 4.0, 8.0)
BACK_OFF_OF_PLACES_S = (*BACK_OFF_S, 15.0, 30.0, 60.0, 120.0, 300.0)
"""For what waits for its place alone."""
TRIES_OF_ONE_PASS = 3
ASK_AGAIN_S = 60.0
"""How long a file that was dealt with is left alone before the ledger is asked anew: `retry` may have released it."""
MAX_KNOWN = 200_000
"""Files remembered; beyond that the oldest are forgotten and simply looked at again."""

Known = Callable[[Path, Identity], bool]


@dataclass(frozen=True, slots=True)
class _Known:
    """A file that stays; without tries it was dealt with, and the ledger says for how long it is left alone."""

    identity: Identity
    since_s: float
    tries: int
    again_s: float


class Retries:
    """Remembers files that stayed in the inbox, so that they are neither tried in a hot loop nor forgotten.

    Args:
        for_ever: whether an obstacle that is not the photo's fault is tried again until it goes away; without it,
            as in one pass, `TRIES_OF_ONE_PASS` times.
        known: tells of files that were dealt with by an earlier run: copied, linked, or taken back.
    """

    def __init__(self, *, for_ever: bool, known: Known = lambda *_: False) -> None:
        self._for_ever = for_ever
        self._known_before = known
        self._known: OrderedDict[Path, _Known] = OrderedDict()
        self._pending: set[Path] = set()
        self._due: list[tuple[float, Path]] = []
        self._blocked = BlockedPlaces()

    def blocked(self) -> list[Blocked]:
        """Return the places that cannot be used, and how many photos wait for each; another thread may ask."""
        return self._blocked.told()

    def pending(self) -> bool:
        """Tell whether something is still to be tried again."""
        return bool(self._pending)

    def rests(self, path: Path) -> bool:
        """Tell whether a file that may not be tried now is to be left alone until it changes."""
        return path not in self._pending

    def waiting(self, most: int) -> tuple[set[Path], float]:
        """Return what is to be tried again, and since when the oldest of `most` of them waits; another thread may ask.

        Without any, the time is infinite.
        """
        pending = self._pending.copy()
        known = (self._known.get(path) for path in islice(pending, most))
        return pending, min((one.since_s for one in known if one is not None), default=inf)

    def may_try(self, path: Path, identity: Identity, now_s: float) -> bool:
        """Tell whether a file is new, has changed, or has waited long enough."""
        known = self._known.get(path)
        if known is not None and known.identity == identity and (known.tries or now_s < known.again_s):
            return now_s >= known.again_s and not self._blocked.holds(path)
        if not self._known_before(path, identity):
            return True
        self._forget(path)
        self._remember(path, _Known(identity, now_s, 0, now_s + ASK_AGAIN_S))
        return False

    def waited_s(self, path: Path, identity: Identity, now_s: float) -> float:
        """Seconds since this very file first came back; zero for another one."""
        known = self._known.get(path)
        return now_s - known.since_s if known is not None and known.identity == identity else 0.0

    def take_back(self, photo: Photo, now_s: float) -> float | None:
        """Take note of how a photo's way ended; return when to look at it again, or None for never.

        Of those that wait for one place one is tried, ever more rarely; when a photo gets there, all are.
        """
        known = self._known.get(photo.path)
        self._note_place(photo, now_s)
        self._pending.discard(photo.path)
        self._known.pop(photo.path, None)
        if photo.stays:
            self._remember(photo.path, _Known(photo.identity, now_s, 0, now_s + ASK_AGAIN_S))
            return None
        if photo.outcome not in (Outcome.AGAIN, Outcome.LEFT):
            return None
        if known is None or known.identity != photo.identity:
            known = _Known(photo.identity, now_s, 0, 0.0)
        back_off_s = BACK_OFF_OF_PLACES_S if photo.place else BACK_OFF_S
        again_s = now_s + min(back_off_s[min(known.tries, len(back_off_s) - 1)], photo.again_within_s)
        obstacle = bool(photo.folder) or photo.fault is None or photo.fault.reason is Reason.UNREADABLE
        spent = obstacle and not self._for_ever and known.tries + 1 >= TRIES_OF_ONE_PASS
        if photo.outcome is Outcome.LEFT or spent:
            again_s = inf
        self._remember(photo.path, _Known(photo.identity, known.since_s, known.tries + 1, again_s))
        if spent and photo.place:
            self._give_up(photo.place)
        return again_s if again_s < inf else None

    def due_s(self) -> float:
        """Return when the next file is to be tried again; infinite if none is."""
        return self._due[0][0] if self._due else inf

    def due(self, now_s: float, most: int) -> Iterator[Path]:
        """Yield up to `most` files whose time has come."""
        while most > 0 and self._due and self._due[0][0] <= now_s:
            at_s, path = heappop(self._due)
            known = self._known.get(path)
            if known is not None and known.again_s == at_s and not self._blocked.holds(path):
                most -= 1
                yield path

    def forget(self, path: Path, now_s: float) -> None:
        """Drop a file that was taken away."""
        self._forget(path)
        self._wake(self._blocked.drop(path), now_s)

    def let_pass(self, path: Path, now_s: float) -> None:
        """Let another be tried for the place that a file waits for: this one changes, or is held open."""
        self._wake(self._blocked.drop(path), now_s)

    def _note_place(self, photo: Photo, now_s: float) -> None:
        if photo.place:
            self._wake(self._blocked.add(photo.path, photo.place, photo.reason), now_s)
            return
        if photo.destination is not None:
            for place in (photo.folder, os.path.split(photo.path)[0]):
                self._wake(self._blocked.free(place), now_s)
        self._wake(self._blocked.drop(photo.path), now_s)

    def _wake(self, paths: list[Path], now_s: float) -> None:
        """Let files be tried whose place may be free: at once, or soon if they were just tried themselves.

        What has a trouble of its own there is so not tried with each photo that gets there.
        """
        for path in paths:
            known = self._known.get(path)
            if known is not None and path in self._pending:
                again_s = max(now_s, min(known.again_s, now_s + BACK_OFF_S[-1]))
                self._known[path] = replace(known, again_s=again_s)
                heappush(self._due, (again_s, path))

    def _give_up(self, place: str) -> None:
        for path in self._blocked.free(place):
            self._pending.discard(path)
            self._known[path] = replace(self._known[path], again_s=inf)

    def look_at_overdue(self, now_s: float, look: Callable[[Path], object]) -> None:
        """Have a look taken at what should be tried by now: what was taken away is to be forgotten then."""
        for path in list(self._pending):
            if self._known[path].again_s <= now_s:
                look(path)

    def _remember(self, path: Path, known: _Known) -> None:
        self._known[path] = known
        if known.tries and known.again_s < inf:
            self._pending.add(path)
            if not self._blocked.holds(path):
                heappush(self._due, (known.again_s, path))
        if len(self._known) > MAX_KNOWN:
            self.forget(next(iter(self._known)), known.since_s)

    def _forget(self, path: Path) -> _Known | None:
        self._pending.discard(path)
        return self._known.pop(path, None)
