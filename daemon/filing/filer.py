"""The last stage: decide, write the intent, move, sync, write the outcome - once per batch, not per photo."""

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from math import inf
from pathlib import Path

from daemon.classify.decide import STOPPED, judge
from daemon.copying.losses import Losses
from daemon.files.companion_names import is_companion
from daemon.files.marker import OutputMarker
from daemon.filing.companions import Companions, photo_is_coming
from daemon.filing.debts import Debts
from daemon.filing.late import LateCompanions, find_photo, stay
from daemon.filing.layout import FilingOptions
from daemon.filing.pause import Pause
from daemon.filing.placing import Move, Placer
from daemon.filing.plan import Planner
from daemon.filing.unresolved import UnresolvedMoves
from daemon.ledger.held_files import UNCHANGED
from daemon.ledger.intent import intent_for
from daemon.ledger.ledger import Ledger
from daemon.photo import Mode, Outcome, Photo, Rules
from daemon.process.clock import Clock
from daemon.process.heartbeat import Heartbeat

__all__ = ["Filer", "Rules"]

STOP_S = 1.0
"""How long photos that wait are still filed once the daemon is to end."""


class Filer:
    """Moves judged photos from the inbox into the output; used by one thread.

    Args:
        output: root of the class folders.
        ledger: where intents and outcomes go.
        rules: by what to judge photos that carry no rules of their own.
        clock: time, for the ledger.
        say: takes a sentence: what held up all has ended, or what the output cannot keep of photos.
        unresolved: what the last run left open.
        options: mode and layout; by default photos are moved under their class.

    Attributes:
        heartbeat: where it is noted that a batch gets on.
    """

    def __init__(
        self,
        output: Path,
        ledger: Ledger,
        rules: Rules,
        clock: Clock,
        say: Callable[[str], None] = lambda _: None,
        unresolved: UnresolvedMoves | None = None,
        options: FilingOptions | None = None,
    ) -> None:
        self._output = output
        self._ledger = ledger
        self._rules = rules
        self._clock = clock
        self._options = options or FilingOptions()
        adopted = ledger.roots.get("output")
        same = adopted is not None and adopted.path == output
        self._marker = OutputMarker(output, adopted.marker if adopted and same else None)
        self.pause = Pause(clock, say)
        self._debts = Debts(ledger, clock)
        self._unresolved = unresolved or UnresolvedMoves(clock)
        self._placer = Placer(output, self._options.mode, self._unresolved, self._debts, self.pause, Losses(say))
        layout, set_aside = self._options.layout, self._options.set_aside
        self._planner = Planner(output, ledger, layout, set_aside=set_aside, made=self._debts.syncs.owe_folder)
        self._companions = Companions()
        self._behind = LateCompanions(clock)
        self._far = False
        self._stopped_s = inf
        self.heartbeat = Heartbeat(clock.monotonic_s)
        self.doubtful = self._unresolved.told

    def file(self, photos: list[Photo]) -> None:
        """Judge a batch and move what is to be moved; afterwards each photo's `outcome` says what became of it."""
        started_s = self._clock.monotonic_s()
        for photo in photos:
            judge(photo, photo.rules or self._rules)
        self._placer.begin()
        if self._unresolved.told():
            self._attempt([])  # which looks at them again
        parts = [photo for photo in photos if photo.outcome is Outcome.LEFT and is_companion(photo.path)]
        parts = self._without_held([part for part in parts if not self._is_doubtful(part)])
        for part in parts:
            self._companions.wait(part)
        waiting = [photo for photo in photos if photo.folder]
        while waiting:  # again for those whose name was taken by somebody else meanwhile, or refused
            waiting = self._attempt(waiting)
        self._follow([part for part in parts if part.follows is None])
        took_ms = 1e3 * (self._clock.monotonic_s() - started_s)
        for photo in photos:
            photo.times_ms["file"] = took_ms

    def stop(self) -> None:
        """Let what is not filed within a second stay in the inbox, and on a share all that is not on its way.

        Any thread and a signal handler may call this.
        """
        self._stopped_s = min(self._stopped_s, self._clock.monotonic_s())

    def flush(self) -> None:
        """Sync and conclude what could not be before; OSError or sqlite3.Error if it still cannot."""
        self._debts.settle(far=self._far, heartbeat=self.heartbeat)

    def _attempt(self, photos: list[Photo]) -> list[Photo]:
        """Carry one batch through the protocol; returns those that must be planned once more."""
        if self._is_over():
            for photo in photos:
                photo.outcome, photo.reason = Outcome.AGAIN, STOPPED
            return []
        obstacle = self._marker.obstacle()
        if obstacle:
            self._hold_up(photos, obstacle)
            return []
        self._debts.copied += self._unresolved.clear(self._debts.outcomes)
        photos = self._without_held(self._without_doubtful(photos))
        self._far = self._marker.on_share or any(photo.on_share for photo in photos)
        if self._far:
            self._planner.look_ahead(photos, self.heartbeat)
        try:
            planned, later, obstacles = self._planner.plan(photos, self._companions, self._placer.taken)
        except sqlite3.Error as error:
            self._hold_up(photos, f"the ledger cannot be read ({error})")
            return []
        for photo in photos:
            if id(photo) in obstacles:
                self._placer.postpone(photo, *obstacles[id(photo)])
                self._look_after_parts(photo)
        self._carry_out(planned)
        for photo in planned:
            self._look_after_parts(photo)
        taken = [photo for photo in planned if photo.destination is None]
        return later + [photo for photo in taken if photo.outcome not in (Outcome.AGAIN, Outcome.GONE)]

    def _without_held(self, photos: list[Photo]) -> list[Photo]:
        """Let files stay that were filed or taken back before, and were read to see whether they have changed since."""
        try:
            held = self._ledger.unchanged(photos, self._clock.monotonic_s(), self._clock.wall_s())
        except sqlite3.Error as error:
            self._hold_up(photos, f"the ledger cannot be read ({error})")
            return []
        for photo in held:
            photo.outcome, photo.stays, photo.reason = Outcome.LEFT, True, UNCHANGED
        return [photo for photo in photos if not photo.stays]

    def _is_doubtful(self, photo: Photo) -> bool:
        return self._unresolved.holds_up(photo, self._debts.outcomes, self._debts.copied)

    def _without_doubtful(self, photos: list[Photo]) -> list[Photo]:
        """Let photos wait of which it cannot be seen yet whether they were moved."""
        return [photo for photo in photos if not self._is_doubtful(photo)]

    def _follow(self, parts: list[Photo]) -> None:
        """File companions that come later than their photo; those whose photo has not come wait for it."""
        late, now_s = [], self._clock.wall_s()
        if self._is_over():
            return
        with suppress(sqlite3.Error):  # nothing can be found or filed now: they wait
            coming = (*self._behind.due(), *parts)
            late = [
                part
                for part in coming
                if not self._is_expected(part) and find_photo(part, self._ledger, self._output, self._rules, now_s)
            ]
        self._carry_out(late)
        for part in late:
            self._companions.leave(part)
        self._behind.tried(late)

    def _is_expected(self, part: Photo) -> bool:
        """Tell whether a photo of a companion's name is still to be filed."""
        return self._options.mode is Mode.MOVE and photo_is_coming(part.path)

    def _carry_out(self, planned: list[Photo]) -> None:
        """Take photos that have a destination, and what travels with them, through the protocol."""
        if not planned and not self._debts.outcomes:
            return
        try:
            self.flush()
            intents = [intent_for(photo, photo.rules or self._rules, self._options.mode) for photo in planned]
            rows = iter(self._ledger.intend(intents, self._clock.wall_s()))
        except (OSError, sqlite3.Error) as error:
            self._hold_up(planned, f"the ledger cannot be written, or what was filed before not be made safe ({error})")
            return
        moves = [
            Move(photo, next(rows), intent, [*zip(photo.companions, rows, intent.companions, strict=False)])
            for photo, intent in zip(planned, intents, strict=True)
        ]
        self._placer.place(moves, self._is_over, self.heartbeat, far=self._far, far_output=self._marker.on_share)
        try:
            self.flush()
        except (OSError, sqlite3.Error) as error:
            for photo in planned:
                photo.reason = photo.reason or f"filed, but not yet safe from a power cut ({error})"

    def _look_after_parts(self, photo: Photo) -> None:
        """Let companions that were not filed wait: for their photo, or to follow it where it lies now."""
        left = [part for part in photo.companions if photo.destination is None or part.destination is None]
        for part in left:
            if part.outcome is not Outcome.GONE:
                stay(part)
                (self._companions.wait if photo.destination is None else self._behind.add)(part)
        photo.companions = [part for part in photo.companions if part not in left]

    def _hold_up(self, photos: list[Photo], reason: str) -> None:
        """Let photos stay for now because of something that is not theirs, and holds up every other one too."""
        self.pause.begin(reason)
        for photo in photos:
            photo.destination, photo.outcome, photo.reason = None, Outcome.AGAIN, reason

    def _is_over(self) -> bool:
        if self._stopped_s == inf:
            return False
        return self._far or self._clock.monotonic_s() >= self._stopped_s + STOP_S
