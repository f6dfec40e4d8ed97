"""The last stage: decide, write the intent, move, sync, write the outcome - once per batch, not per photo."""

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from daemon.clock import Clock
from daemon.companions import Companions, is_companion
from daemon.copying import NoRoomError
from daemon.debts import Debts
from daemon.doubts import Doubts
from daemon.filing import TRIES_OF_A_NAME, SourceChangedError
from daemon.held import UNCHANGED
from daemon.intent import Intent
from daemon.late import Behind, find_photo, stay
from daemon.ledger import Ledger
from daemon.limits import MAX_PLAINNESS, REFUSED
from daemon.losses import Losses
from daemon.marker import OutputMarker
from daemon.modes import place, why_not
from daemon.open_writers import HELD, OpenWriterError
from daemon.pause import FAILING, LONGEST_OF_FAILING_S, LONGEST_S, Pause, trouble_of_all
from daemon.photo import Mode, Outcome, Photo
from daemon.plan import Planner
from daemon.rules import Rules, intent_for, judge
from daemon.why import try_to_write_why

__all__ = ["Filer", "Rules"]


class Filer:
    """Moves judged photos from the inbox into the output; used by one thread.

    Args:
        output: root of the class folders.
        ledger: where intents and outcomes go.
        rules: by what to judge photos that carry no rules of their own.
        clock: time, for the ledger.
        say: takes a sentence: what held up all has ended, or what the output cannot keep of photos.
        doubts: what the last run left open.
    """

    def __init__(
        self,
        output: Path,
        ledger: Ledger,
        rules: Rules,
        clock: Clock,
        say: Callable[[str], None] = lambda _: None,
        doubts: Doubts | None = None,
    ) -> None:
        self._output = output
        self._ledger = ledger
        self._rules = rules
        self._clock = clock
        adopted = ledger.roots.get("output")
        same = adopted is not None and adopted.path == output
        self._marker = OutputMarker(output, adopted.marker if adopted and same else None)
        self.pause = Pause(clock, say)
        self._losses = Losses(say)
        self._debts = Debts(ledger, clock)
        self._doubts = doubts or Doubts(clock)
        self._planner = Planner(
            output, ledger, rules.layout, set_aside=rules.set_aside, made=self._debts.syncs.owe_folder
        )
        self._companions = Companions()
        self._behind = Behind(clock)
        self._taken: set[str] = set()
        self._troubles: dict[tuple[type[OSError], int | None], str] = {}
        self.doubtful = self._doubts.told

    def file(self, photos: list[Photo]) -> None:
        """Judge a batch and move what is to be moved; afterwards each photo's `outcome` says what became of it."""
        started_s = self._clock.monotonic_s()
        for photo in photos:
            judge(photo, photo.rules or self._rules)
        self._taken.clear()
        self._troubles.clear()
        if self._doubts.told():
            self._attempt([])  # which looks at them again
        parts = [photo for photo in photos if photo.outcome is Outcome.LEFT and is_companion(photo.path)]
        parts = self._without_held([part for part in parts if not self._doubts.holds_up(part)])
        for part in parts:
            self._companions.wait(part)
        waiting = [photo for photo in photos if photo.folder]
        while waiting:  # again for those whose name was taken by somebody else meanwhile, or refused
            waiting = self._attempt(waiting)
        self._follow([part for part in parts if part.follows is None])
        took_ms = 1e3 * (self._clock.monotonic_s() - started_s)
        for photo in photos:
            photo.times_ms["file"] = took_ms

    def settle_debts(self) -> None:
        """Sync and conclude what could not be before; OSError or sqlite3.Error if it still cannot."""
        self._debts.settle()

    def _attempt(self, photos: list[Photo]) -> list[Photo]:
        """Carry one batch through the protocol; returns those that must be planned once more."""
        obstacle = self._marker.obstacle()
        if obstacle:
            self._hold_up(photos, obstacle)
            return []
        self._debts.copied += self._doubts.clear(self._debts.outcomes)
        photos = self._without_held(self._without_doubtful(photos))
        try:
            planned, later, obstacles = self._planner.plan(photos, self._companions, self._taken)
        except sqlite3.Error as error:
            self._hold_up(photos, f"the ledger cannot be read ({error})")
            return []
        for photo in photos:
            if id(photo) in obstacles:
                self._postpone(photo, *obstacles[id(photo)])
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

    def _without_doubtful(self, photos: list[Photo]) -> list[Photo]:
        """Let photos wait of which it cannot be seen yet whether they were moved."""
        return [photo for photo in photos if not self._doubts.holds_up(photo)]

    def _follow(self, parts: list[Photo]) -> None:
        """File companions that come later than their photo; those whose photo has not come wait for it."""
        late, now_s = [], self._clock.wall_s()
        with suppress(sqlite3.Error):  # nothing can be found or filed now: they wait
            coming = (*self._behind.due(), *parts)
            late = [part for part in coming if find_photo(part, self._ledger, self._output, self._rules, now_s)]
        self._carry_out(late)
        for part in late:
            self._companions.leave(part)
        self._behind.tried(late)

    def _carry_out(self, planned: list[Photo]) -> None:
        """Take photos that have a destination, and what travels with them, through the protocol."""
        if not planned:
            return
        try:
            self.settle_debts()
            intents = [intent_for(photo, photo.rules or self._rules) for photo in planned]
            rows = iter(self._ledger.intend(intents, self._clock.wall_s()))
        except (OSError, sqlite3.Error) as error:
            self._hold_up(planned, f"the ledger cannot be written, or what was filed before not be made safe ({error})")
            return
        for photo, intent in zip(planned, intents, strict=True):
            self._place(photo, next(rows), intent)
            for part, its in zip(photo.companions, intent.companions, strict=True):
                row = next(rows)
                if photo.destination:
                    self._place(part, row, its)
                else:
                    self._debts.outcomes[row] = None
        try:
            self.settle_debts()
        except (OSError, sqlite3.Error) as error:
            for photo in planned:
                photo.reason = photo.reason or f"filed, but not yet safe from a power cut ({error})"

    def _place(self, photo: Photo, row: int, intent: Intent) -> None:
        """Bring one photo to its destination, and note the outcome for the ledger: None if nothing was done."""
        target, mode = photo.destination, self._rules.mode
        assert target is not None
        try:
            placed = place(mode, photo.path, photo.identity, photo.sha256, target, photo.relpath)
            self._losses.note(target, placed.lost)
        except OpenWriterError:
            photo.destination, photo.outcome, photo.reason = None, Outcome.AGAIN, HELD
            self._debts.outcomes[row] = None
            return
        except SourceChangedError:
            photo.destination, photo.outcome, photo.reason = None, Outcome.GONE, "it changed before it was filed"
            self._debts.outcomes[row] = None
            return
        except OSError as error:
            if not self._doubts.was_done(row, intent, error, self._debts.outcomes):
                if self._may_get_another(photo, target, error):
                    photo.destination = None
                else:
                    self._postpone(photo, error, why_not(mode, target, error))
                return
            self._debts.copied.append(intent)  # as it may be
        else:
            if placed.hidden is not None:
                self._debts.copied.append(intent)
            if placed.left is not None:
                self._debts.left[row] = placed.left
        self.pause.end()
        photo.stays = mode is not Mode.MOVE
        self._debts.placed(photo.path, target, mode)
        if photo.outcome is Outcome.FAILED and photo.follows is None:
            photo.reason += try_to_write_why(target, photo.path.name, photo.reason)
        self._debts.outcomes[row] = photo.outcome

    def _may_get_another(self, photo: Photo, target: Path, error: OSError) -> bool:
        """Tell whether another name may help: a number where this one was taken, a plainer one where it was refused."""
        if isinstance(error, FileExistsError):
            self._taken.add(str(target))
            photo.tries += 1
            return photo.tries < TRIES_OF_A_NAME
        if error.errno not in REFUSED or photo.plainness == MAX_PLAINNESS:
            return False
        photo.plainness += 1
        return True

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

    def _postpone(self, photo: Photo, error: OSError, reason: str) -> None:
        """Let a photo stay for now because of what the kernel said about it, or about all."""
        kind = (type(error), error.errno)
        if kind not in self._troubles:  # asked once a batch
            self._troubles[kind] = trouble_of_all(error, photo, self._output, self._rules.mode)
        trouble = self._troubles[kind]
        if trouble:
            self.pause.begin(trouble, LONGEST_OF_FAILING_S if error.errno in FAILING else LONGEST_S)
        photo.destination, photo.outcome, photo.reason = None, Outcome.AGAIN, trouble or reason
        photo.place = "" if trouble else photo.folder
        if isinstance(error, NoRoomError):
            photo.place = str(photo.path)  # others may fit
            if photo.follows is not None:
                self._losses.stays(photo.path, reason)
