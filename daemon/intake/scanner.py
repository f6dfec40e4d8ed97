"""Scans the inbox again and again, and keeps the watch that makes new photos known at once.

The scan decides what is there; events only speed it up. A scan begins some seconds after the last one ended, or at once
after lost events, and stops taking names while enough names wait.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from common.errors import PhototriageError
from common.text import printable
from daemon.files.open_writers import is_held_open
from daemon.intake.filters import PathFilter
from daemon.intake.inbox_mounts import InboxMounts, survey
from daemon.intake.passed import PassedFolders
from daemon.intake.staying import Staying
from daemon.intake.troubles import Topic, Troubles
from daemon.intake.walk import LeftOut, scan
from daemon.intake.watcher import Report, Watcher, watch_fault
from daemon.process.clock import Clock
from daemon.process.log_level import Say

RESCAN_S = 2.0
RESCAN_TIMES, RESCAN_TIMES_WATCHED = 20, 100
"""Least pause between two full scans, as a multiple of the time that the last scan spent on files that stay: without a
watch, scans take at most 5 % of a core. Time in which a scan waits because enough names wait does not count, nor does
time for files that are about to be filed."""
RESCAN_MOST_S = 60.0
"""Longest pause between two scans. If full scans are rarer, the scans between skip files that are known to stay."""
FAR_NAMES = 1024
"""Names of a share that wait at most, because looks slow down moves in the same folder."""
REWATCH_S = 10.0
"""Least time between two tries to get a watch while the kernel refuses."""

Check = Callable[[], None]


def unchecked() -> None:
    """Check nothing, for an inbox that certainly exists."""


class InboxScanner:
    """Scans an inbox again and again, and keeps it watched.

    Args:
        path_filter: of the inbox.
        clock: time.
        say: takes one sentence for the user, once for each lasting trouble.
        watch: False to scan only.
        output: where photos are filed, to see whether it lies on the same mount.
        check: called before each scan; raises PhototriageError while the inbox must not be used, for example because
            its mount is missing. Without a watch, this ends the pass.
        report: takes hints, called by another thread.
        lost: called by another thread when events were lost.

    Attributes:
        troubles: what keeps the inbox from being scanned or watched now.
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
        self._report = report
        self._lost = lost
        self._watch = watch
        self._passed = PassedFolders(path_filter, output, watch=watch)
        self._output = output
        self._check = check
        self._watcher: Watcher | None = None
        self._scan: Iterator[Path] | None = None
        self._next_s = self._look_at_all_s = 0.0
        self._looks_at_all, self._seen, self._spent_s = True, 0, 0.0
        self._rewatch_s = 0.0
        self._at_once = False  # set by other threads, cleared when a scan begins
        self.troubles = Troubles(say)
        self.staying = Staying()
        self.scans = 0
        self.mounts, self._has_share = InboxMounts(path_filter.inbox), False

    def ask(self) -> None:
        """Ask for a scan as soon as possible. Any thread may call this."""
        self._at_once = True

    def most_names(self, most: int) -> int:
        """Return how many of `most` names may wait."""
        return min(most, FAR_NAMES) if self._has_share else most

    def is_on_share(self, path: Path) -> bool:
        """Tell whether a file of the inbox lies on a share, where each look is a round trip."""
        return self._has_share and self.mounts.share_and_mount(path.parent)[0]

    def is_held(self, path: Path, relpath: Path) -> bool:
        """Tell whether a program holds a file open for writing, as far as the kernel tells.

        In one pass the filer checks this instead, and tries a few times.
        """
        if not self._watch:
            return False
        on_share, _ = self.mounts.share_and_mount(path.parent)
        held = None if on_share else is_held_open(path, relpath)
        if held is None and self._watcher is not None:
            return self._watcher.creations.is_open(path, on_share=on_share)
        return bool(held)

    def under_way(self) -> bool:
        """Tell whether a scan has begun and not ended."""
        return self._scan is not None

    def due_s(self, now_s: float) -> float:
        """Return when the next names can be taken: now, if a scan is running."""
        return now_s if self._scan is not None or self._at_once else self._next_s

    def paths(self, *, wanted: bool) -> Iterator[Path]:
        """Yield names from where the last call stopped; begins a new scan when one is due.

        Args:
            wanted: whether a scan may begin because it is due.
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
        if self.troubles.now().stops:
            self._next_s = now_s + RESCAN_S  # however long the last try took: the server of a share may be away
            return
        heard = self._watcher is not None and not self.mounts.any_slow_settle()
        stay = 1.0 - min(1.0, max(0, self.staying.others) / max(1, self._seen))
        pause_s = max(RESCAN_S, (RESCAN_TIMES_WATCHED if heard else RESCAN_TIMES) * self._spent_s * stay)
        self._next_s = now_s + min(pause_s, RESCAN_MOST_S)
        if self._looks_at_all:
            self._look_at_all_s = now_s + pause_s

    def _may_scan(self) -> bool:
        """Tell whether the inbox is the known one; otherwise files at its path are left alone."""
        try:
            self._check()
        except PhototriageError as away:
            if not self._watch:
                raise
            self._stop_watching()
            self.troubles.tell(Topic.ROOT, str(away), begin="paused: ")
            return False
        self.troubles.tell(Topic.ROOT, "", "the inbox is back")
        return True

    def _see_where(self) -> None:
        """Find the current mounts of the inbox, which may have changed."""
        unreliable = self._watcher is not None and self._watcher.events_unreliable
        where = self._path_filter
        mounts = survey(where.inbox, self._output, recursive=where.recursive, events_unreliable=unreliable)
        if mounts.here is None:
            return  # it cannot be read now; the scan reports that
        self.mounts, self._has_share = mounts, mounts.any_share()
        why = self.mounts.why_polled() if self._watch else ""
        scans = f"{why}; phototriage scans the inbox every few seconds instead" if why else ""
        self.troubles.tell(Topic.SHARE, scans, "the kernel reports new photos again")

    def _names(self) -> Iterator[Path]:
        left = LeftOut()
        if self._looks_at_all:
            self.staying.clear()
        look = scan(
            self._path_filter, enter=self._enter, passed=self._passed.passed, unread=left.unread, staying=self.staying
        )
        try:
            for number, path in enumerate(look):
                # The inbox is open by now. Something may have been mounted over it between the check and that.
                if number == 0 and not self._may_scan():
                    return
                yield path
            self.troubles.tell(Topic.SCAN, "", "the inbox can be read again")
            sentence, is_new = self._passed.told()
            self.troubles.tell(Topic.PASSED, sentence, said=not is_new)
            self.troubles.tell(Topic.FOLDERS, left.unreadable)
            self._end_round()
        except OSError as error:
            inbox = printable(self._path_filter.inbox)
            unread = f"the inbox {inbox} cannot be read ({error.strerror}); retrying every {RESCAN_S:.0f} s"
            self.troubles.tell(Topic.SCAN, unread)

    def _tend_watcher(self) -> None:
        """Watch the folder that is at the path now, before the scan, so that no file is missed in between."""
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
            return  # the scan reports that
        except OSError as error:
            self._rewatch_s = now_s + REWATCH_S
            self.troubles.tell(Topic.WATCH, watch_fault(error))

    def _enter(self, folder: Path) -> None:
        self._seen += 1
        if self._watcher is not None:
            self._watcher.enter(folder)

    def _end_round(self) -> None:
        if self._watcher is not None:
            self._watcher.end_round()
            self.troubles.tell(Topic.WATCH, self._watcher.fault(), "the inbox is watched again")
