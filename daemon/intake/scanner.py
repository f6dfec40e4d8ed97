"""What keeps an eye on the inbox: one scan after another, and the watch that makes them prompt.

The scan is the truth. It begins again some seconds after the last one ended, at once when hints were lost, and stops
taking names while enough of them wait.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from contract.errors import PhototriageError
from contract.text import printable
from daemon.files.open_writers import is_held_open
from daemon.intake.filters import PathFilter
from daemon.intake.inbox_mounts import InboxMounts, survey
from daemon.intake.staying import Staying
from daemon.intake.walk import LeftOut, scan
from daemon.intake.watcher import Report, Watcher, watch_fault
from daemon.process.clock import Clock
from daemon.process.log_level import Level, Say

RESCAN_S = 2.0
RESCAN_TIMES, RESCAN_TIMES_WATCHED = 20, 100
"""Least time between two scans that look at all, as a multiple of the time that was spent in the last one on what the
next one will meet again: without a watch, at most 5 % of a core. The time for which a scan stands still, because enough
names wait, is not spent; nor is that for files which are about to be filed."""
RESCAN_MOST_S = 60.0
"""Most time between two scans. Where the one above is longer, those between pass over what is known to stay."""
FAR_NAMES = 1024
"""Names of a share that wait at most: looks keep the moves in the same folder from getting on."""
REWATCH_S = 10.0
"""Least time between two tries to get a watch while the kernel grants none."""

Check = Callable[[], None]


def unchecked() -> None:
    """Check nothing: for an inbox that is sure to be there."""


class InboxScanner:
    """Scans an inbox over and over, and keeps it watched.

    Args:
        path_filter: of the inbox.
        clock: time.
        say: takes one sentence for the user, once for each lasting trouble.
        watch: False for scans alone.
        output: where photos are filed, to see whether it lies on the same mount.
        check: called before each scan; raises PhototriageError while the inbox must not be used, as when its mount is
            away. Without a watch, that ends the pass.
        report: takes hints, from another thread.
        lost: called when hints were lost, from another thread.
    """

    def __init__(
        self,
        path_filter: PathFilter,
        clock: Clock,
        say: Say,
        report: Report,
        lost: Callable[[], None],
        *,
        watch: bool,
        output: Path | None = None,
        check: Check = unchecked,
    ) -> None:
        self._path_filter = path_filter
        self._clock = clock
        self._say = say
        self._report = report
        self._lost = lost
        self._watch = watch
        self._output = output
        self._check = check
        self._watcher: Watcher | None = None
        self._scan: Iterator[Path] | None = None
        self._next_s = self._look_at_all_s = 0.0
        self._looks_at_all, self._seen, self._spent_s = True, 0, 0.0
        self._rewatch_s = 0.0
        self._at_once = False  # set by other threads; taken down when a scan begins, which sees all from then on
        self._troubles: dict[str, str] = {}
        self.staying = Staying()
        self.scans = 0
        self.ground, self._has_share = InboxMounts(path_filter.inbox), False

    def troubles(self) -> dict[str, str]:
        """Return what is the matter now, by topic; empty texts for what is over. Any thread may ask."""
        return self._troubles.copy()

    def ask(self) -> None:
        """Scan as soon as may be; any thread may call this."""
        self._at_once = True

    def most_names(self, most: int) -> int:
        """Return how many names may wait of `most`."""
        return min(most, FAR_NAMES) if self._has_share else most

    def is_on_share(self, path: Path) -> bool:
        """Tell whether a file of the inbox lies on a share, where each look is a round trip."""
        return self._has_share and self.ground.lies(path.parent)[0]

    def is_held(self, path: Path, relpath: Path) -> bool:
        """Tell whether a program holds a file open for writing, as far as is known.

        One pass leaves that to the filer, which asks too, and tries a few times.
        """
        if not self._watch:
            return False
        on_share, _ = self.ground.lies(path.parent)
        held = None if on_share else is_held_open(path, relpath)
        if held is None and self._watcher is not None:
            return self._watcher.creations.is_open(path, on_share=on_share)
        return bool(held)

    def under_way(self) -> bool:
        """Tell whether a scan has begun and is not through."""
        return self._scan is not None

    def due_s(self, now_s: float) -> float:
        """When there are names to take: now, while a scan is under way."""
        return now_s if self._scan is not None or self._at_once else self._next_s

    def paths(self, *, wanted: bool) -> Iterator[Path]:
        """Yield names, going on where the last call was left; begins a new scan when one is due.

        Args:
            wanted: whether a scan may begin because its time has come.
        """
        now_s = self._clock.monotonic_s()
        if self._scan is None:
            if not self._at_once and (now_s < self._next_s or not wanted):
                return
            self._looks_at_all = self._at_once or now_s >= self._look_at_all_s
            self._at_once, self._spent_s, self.staying.others = False, 0.0, 0
            self._seen = 0 if self._looks_at_all else len(self.staying)
            self._scan = self._one_scan()
        try:
            for path in self._scan:
                self._seen += 1
                yield path
        finally:
            self._spent_s += self._clock.monotonic_s() - now_s
        self._scan = None
        self._plan_next()

    def close(self) -> None:
        """Stop watching."""
        self._scan = None
        self._stop_watching()

    def _stop_watching(self) -> None:
        if self._watcher is not None:
            self._watcher.close()
            self._watcher = None

    def _one_scan(self) -> Iterator[Path]:
        if self._may_scan():
            self._tend_watcher()
            self._see_where()
            yield from self._names()
        self.scans += 1

    def _plan_next(self) -> None:
        now_s = self._clock.monotonic_s()
        if self._troubles.get("root") or self._troubles.get("scan"):
            self._next_s = now_s + RESCAN_S  # however long that took: a share whose server is away is waited for
            return
        heard = self._watcher is not None and not self.ground.any_far()
        stay = 1.0 - min(1.0, max(0, self.staying.others) / max(1, self._seen))
        pause_s = max(RESCAN_S, (RESCAN_TIMES_WATCHED if heard else RESCAN_TIMES) * self._spent_s * stay)
        self._next_s = now_s + min(pause_s, RESCAN_MOST_S)
        if self._looks_at_all:
            self._look_at_all_s = now_s + pause_s

    def _may_scan(self) -> bool:
        """Tell whether the inbox is itself; if not, nothing that arrives there is taken for a photo of the inbox."""
        try:
            self._check()
        except PhototriageError as away:
            if not self._watch:
                raise
            self._stop_watching()
            self._tell("root", str(away), begin="paused: ")
            return False
        self._tell("root", "", "the inbox is back")
        return True

    def _see_where(self) -> None:
        """Find out what mounts the inbox is on, which may be others than before."""
        deaf = self._watcher is not None and self._watcher.deaf
        ground = survey(self._path_filter.inbox, self._output, recursive=self._path_filter.recursive, deaf=deaf)
        if ground.here is None:
            return  # it cannot be looked at now: the scan says so
        self.ground, self._has_share = ground, ground.any_share()
        why = self.ground.why_polled() if self._watch else ""
        scans = f"{why}; phototriage scans the inbox every few seconds instead" if why else ""
        self._tell("share", scans, "the kernel reports new photos again")

    def _names(self) -> Iterator[Path]:
        left = LeftOut(self._path_filter)
        if self._looks_at_all:
            self.staying.clear()
        look = scan(self._path_filter, enter=self._enter, passed=left.passed, unread=left.unread, staying=self.staying)
        try:
            yield from look
            self._tell("scan", "", "the inbox can be read again")
            self._tell("passed", left.stay)
            self._tell("folders", left.unreadable)
            self._end_round()
        except OSError as error:
            inbox = printable(self._path_filter.inbox)
            self._tell("scan", f"the inbox {inbox} cannot be read ({error.strerror}); retrying every {RESCAN_S:.0f} s")

    def _tend_watcher(self) -> None:
        """Watch the folder that stands at the path now, before it is scanned, so that nothing falls between."""
        if not self._watch:
            return
        if self._watcher is not None and not self._watcher.is_well():
            self._stop_watching()
        now_s = self._clock.monotonic_s()
        if self._watcher is None and now_s < self._rewatch_s:
            return
        try:
            self._watcher = self._watcher or Watcher(self._path_filter, self._report, self._lost)
            self._watcher.begin_round()
        except FileNotFoundError:
            return  # the scan says so
        except OSError as error:
            self._rewatch_s = now_s + REWATCH_S
            self._tell("watch", watch_fault(error))

    def _enter(self, folder: Path) -> None:
        self._seen += 1
        if self._watcher is not None:
            self._watcher.enter(folder)

    def _end_round(self) -> None:
        if self._watcher is not None:
            self._watcher.end_round()
            self._tell("watch", self._watcher.fault(), "the inbox is watched again")

    def _tell(self, topic: str, trouble: str, relief: str = "", *, begin: str = "") -> None:
        """Report a trouble once when it begins, and its relief once when it ends."""
        if self._troubles.get(topic, "") != trouble:
            self._troubles[topic] = trouble
            if trouble:
                self._say(f"{begin}{trouble}")
            elif relief:
                self._say(relief, Level.NOTICE)
