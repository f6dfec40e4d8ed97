"""Watch and settle: which photos of the inbox are ready to be read.

Only the pipeline's thread runs this code; other threads put notes into a queue. The number of waiting names is bounded.
"""

import os
from functools import lru_cache, partial
from pathlib import Path

from daemon.classify.decide import CLOCKS_DIFFER_S
from daemon.files.companion_names import is_companion
from daemon.files.identity import Identity
from daemon.intake.filters import PathFilter
from daemon.intake.handout import Handout
from daemon.intake.looks import FileState, Looks
from daemon.intake.names.junk import CLOSED_BY
from daemon.intake.notes import Notes
from daemon.intake.retry import Known, Retries
from daemon.intake.scanner import Check, InboxScanner, unchecked
from daemon.intake.settle import QUIET_S, Settler, Trigger
from daemon.intake.troubles import InboxTroubles
from daemon.photo import Found, Photo
from daemon.process.clock import Clock
from daemon.process.log_level import Say
from daemon.queues import Waiting

MAX_WAITING = 4096
"""Files that settle or are ready, and as many again that the kernel reported. The scan finds the rest later."""
NAMES_AT_ONCE = 64
"""After this many names the scan yields to files reported by the kernel; they would wait for the whole listing."""


class Intake:
    """Finds photos and hands out each file once, when it is ready.

    Args:
        path_filter: of the inbox.
        clock: time.
        say: takes one sentence for the user, once for each lasting trouble.
        watch: False for one pass over the inbox, without events.
        known: tells whether an earlier run has handled a file, so that it is not handed out again.
        output: where photos are filed; on another mount, files found by scan must stay unchanged for longer.
        check: called before each scan; raises PhototriageError while the inbox must not be used.
        quiet_s: how long a file must stay unchanged that seems to go on, by its format.

    Attributes:
        overflows: how often the kernel dropped events.
        held_open: returns the files that programs hold open for writing, and since when; any thread may call these two.
        blocked: returns the places that cannot be used, and how many photos wait for each.
    """

    def __init__(
        self,
        path_filter: PathFilter,
        clock: Clock,
        say: Say,
        *,
        watch: bool,
        known: Known = lambda *_: False,
        output: Path | None = None,
        check: Check = unchecked,
        quiet_s: float = QUIET_S,
    ) -> None:
        self._path_filter, self._clock, self._watch = path_filter, clock, watch
        self._retries = Retries(for_ever=watch, known=known, say=say)
        self._notes, self._settler, self._ready = Notes(), Settler(quiet_s=quiet_s, say=say), Handout()
        self._under_way: dict[Path, Trigger | None] = {}
        self._relpath = lru_cache(MAX_WAITING)(lambda folder: Path(folder).relative_to(path_filter.inbox))
        self._scanner = InboxScanner(
            path_filter, clock, say, self.hint, self.hints_lost, watch=watch, output=output, check=check
        )
        self.looks = Looks(clock, self._answered, lambda looked: self._notes.put(self.looks.came, looked))
        self.overflows, self.held_open, self.blocked = 0, self._settler.held_s, self._retries.blocked

    def troubles(self) -> InboxTroubles:
        """Return the current troubles of the inbox. Any thread may call this."""
        return self._scanner.troubles.now().with_note(self._retries.unfinished.told())

    def wake(self) -> None:
        """Make a waiting `ready` return."""
        self._notes.wake()

    def hint(self, path: Path, trigger: Trigger) -> None:
        """Take a hint from the watcher. If too many come at once, the scan finds the rest."""
        if len(self._notes) < 4 * MAX_WAITING:
            self._notes.put(self._notice, path, trigger)
        else:
            self._scanner.ask()

    def hints_lost(self) -> None:
        """Scan at once because the kernel dropped events."""
        self.overflows += 1
        self._scanner.ask()
        self.wake()

    def done(self, photos: list[Photo]) -> None:
        """Take back photos that the pipeline is done with, whatever their outcome."""
        self._notes.put(self._came_back, photos)

    def waiting(self, under_way: list[float]) -> Waiting:
        """Return what waits in the inbox.

        Args:
            under_way: when each photo was noticed that is in the pipeline now.
        """
        again, since_s = self._retries.waiting(MAX_WAITING)
        settling = self._settler.since_s()
        paths = again.union(settling, list(self._under_way))
        oldest_s = min((*self._ready.noticed_s(), *settling.values(), *under_way), default=since_s)
        more = self._scanner.under_way() or self._waiting() >= self._scanner.most_names(MAX_WAITING)
        return Waiting(len(paths), more, min(oldest_s, since_s) if paths else None)

    # Any thread may call the methods above; only the pipeline's own thread may call those below.

    def finished_once(self) -> bool:
        """Tell whether a whole scan is done and every photo that it found has passed the pipeline."""
        idle = not (self._under_way or self._waiting() or self._scanner.under_way())
        return idle and self._scanner.scans > 0 and not self._retries.pending()

    def ready(self, room: int, longest_s: float, spare: int = 0) -> list[Photo]:
        """Return up to `room` ready photos, those that the kernel reported first; waits up to `longest_s` for one.

        Up to `spare` more photos are returned if the kernel reported them, so that they need not wait for a backlog.
        """
        self._look_around()
        if not self._notes.was_woken() and not self._ready.has(room, spare):
            self._notes.wait(self._pause_s(longest_s, room))
            self._look_around()
        return self._ready.take(room, spare)

    def close(self) -> None:
        """Stop watching."""
        self._scanner.close()
        self.looks.close()
        self._retries.unfinished.tell(self._clock.monotonic_s())

    def _waiting(self) -> int:
        return len(self._settler) + len(self._ready) + len(self.looks)

    def _pause_s(self, longest_s: float, room: int) -> float:
        if not self._watch and self.finished_once():
            return 0.0  # no more photos will come
        now_s = self._clock.monotonic_s()
        times_s = [now_s + longest_s]
        due_s = self._settler.next_due_s()
        if due_s is not None:
            times_s.append(due_s)
        room = min(room, self._scanner.most_names(MAX_WAITING) - self._waiting())
        if self._waiting() < MAX_WAITING:
            times_s.append(self._retries.due_s())
        if room > 0 and (self._scanner.under_way() or self._wants_scan()):
            times_s.append(self._scanner.due_s(now_s))
        return max(0.0, min(times_s) - now_s)

    def _wants_scan(self) -> bool:
        return self._watch or self._scanner.scans == 0

    def _look_around(self) -> None:
        self._notes.make()
        self._take_names()
        now_s = self._clock.monotonic_s()
        for path in self._retries.due(now_s, self._scanner.most_names(MAX_WAITING) - self._waiting()):
            self._notice(path, Trigger.FOUND)
        for path in self._settler.due(now_s):
            self._look_again(path)

    def _notice(self, path: Path, trigger: Trigger) -> None:
        if trigger is not Trigger.FOUND and not self._path_filter.takes(path):
            if path.name in CLOSED_BY:
                self._scanner.ask()  # its folder is no longer watched then
            return
        if path in self._under_way:
            if trigger is not Trigger.FOUND:
                self._under_way[path] = trigger  # a new file may have this name once this one is filed
            return
        # Reported files have room of their own; otherwise a large backlog found by scan would hold them up.
        most = self._scanner.most_names(MAX_WAITING) if trigger is Trigger.FOUND else 2 * MAX_WAITING
        if self._waiting() >= most and path not in self._settler:
            self._scanner.ask()
            return
        self.looks.look(path, trigger, fresh=False, on_share=self._scanner.is_on_share(path))

    def _look_again(self, path: Path) -> None:
        slow = self._scanner.mounts.slow_settle(path.parent)
        self.looks.look(path, None, fresh=slow, on_share=self._scanner.is_on_share(path))

    def _answered(self, looked: FileState) -> None:
        """Go on with a file after a look at it; on a share that look may be some time ago."""
        path, trigger, seen, began_s, goes_on = looked
        now_s = self._clock.monotonic_s()
        if seen is None:
            self._retries.forget(path, now_s)
        if trigger is None and self._settler.is_due(path, began_s):  # else it was noticed again, and looked at again
            if seen is None:
                self._settler.forget(path)
            else:
                self._settle(path, seen[0], now_s, goes_on=goes_on)
        elif trigger is not None and path in self._under_way:
            self._notice(path, trigger)
        elif trigger is not None and seen is not None:
            self._seen(path, trigger, *seen, now_s)

    def _seen(self, path: Path, trigger: Trigger, identity: Identity, changed_s: float, now_s: float) -> None:
        unchanged_s = self._clock.wall_s() - changed_s
        trusted_s = unchanged_s - (CLOCKS_DIFFER_S if self._scanner.is_on_share(path) else 0.0)
        may_try = self._retries.may_try(path, identity, now_s, trusted_s)
        self._scanner.staying.note(path, identity.inode, stays=not may_try and self._retries.rests(path))
        if not may_try:
            return
        slow = self._scanner.mounts.slow_settle(path.parent, identity.device)
        if self._settler.see(path, identity, trigger, now_s, unchanged_s, slow=slow):
            self._settle(path, identity, now_s)

    def _settle(self, path: Path, identity: Identity, now_s: float, *, goes_on: bool = False) -> None:
        relpath = self._relpath(os.path.split(path)[0])
        held = partial(self._scanner.is_held, path, relpath)
        settled = self._settler.look(path, identity, now_s, held, goes_on=goes_on)
        if settled is None:
            self._retries.let_others_try(path, now_s)
            return
        if relpath.parts and not self._scanner.is_on_share(path) and self._path_filter.is_closed(path.parent):
            return  # it was noticed before its folder was closed
        self._under_way[path] = None
        announced = settled.trigger is not Trigger.FOUND
        waited_s = self._retries.waited_s(path, identity, now_s)
        kind = (*self._scanner.mounts.share_and_mount(path.parent), is_companion(path))
        self._ready.add(Photo(Found(path, identity, settled.since_s, announced, relpath, waited_s, *kind)))

    def _came_back(self, photos: list[Photo]) -> None:
        for photo in photos:
            trigger = self._under_way.pop(photo.path, None)
            self._retries.record(photo, self._clock.monotonic_s())
            self._scanner.staying.came_back(photo)
            if trigger is not None:
                self._notice(photo.path, trigger)

    def _take_names(self) -> None:
        if self._waiting() >= self._scanner.most_names(MAX_WAITING):
            return
        scans = self._scanner.scans
        for count, path in enumerate(self._scanner.paths(wanted=self._wants_scan()), 1):
            if path not in self._settler:
                self._notice(path, Trigger.FOUND)
            if self._waiting() >= self._scanner.most_names(MAX_WAITING):
                return
            if count % NAMES_AT_ONCE == 0 and (self._ready.announced() or len(self._notes)):
                return  # the next call goes on here
        if self._scanner.scans > scans:
            self._retries.look_at_overdue(self._clock.monotonic_s(), self._look_again)
            self._retries.unfinished.tell(self._clock.monotonic_s())
