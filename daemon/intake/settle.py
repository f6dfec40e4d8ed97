"""When a file is ready to be read: pure logic, time passed in, nothing opened.

A file is ready when:
- it was moved in: it is complete and waits for nothing;
- it was renamed inside the inbox, as a finished upload is: many programs then set its time or rights by its new name,
  which fails if the photo is filed by then. So it must stay unchanged for a tenth of a second;
- it was copied in: the kernel reports when the writer closes it. Some writers open and close a file several times, so
  it must then stay unchanged for a short moment;
- a scan found it: its writer may be unknown (a network share, a lost event). Two looks must see it unchanged, or its
  last change must be older than the time between them, as in a backlog;
- a scan found it on a share or on another mount than the output: it must stay unchanged for longer. Shares report sizes
  late, and a file that is copied and then removed would take the rest of its writer's data with it.

If a file changes between two looks, its wait restarts. A file that was just written and seems to go on, by its format,
must stay unchanged for some seconds, because some programs append a photo in pieces and close it after each. A file
that a program holds open for writing is never ready, even if nothing is written, because an upload may stall. It is
checked with growing pauses, and at once when closed.
"""

import heapq
from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from common.text import printable
from daemon.files.identity import Identity
from daemon.files.open_writers import HELD
from daemon.process.log_level import Say, unsaid

COARSE_S = 2.0
"""How far a recorded time may lie before the change: file systems of memory cards store times in steps of 2 s."""
QUIET_S = 5.0
"""How long a file must stay unchanged that seems to go on: a slow phone needs seconds for a piece of some megabytes."""
HELD_S = (1.0, 2.0, 4.0, 8.0)
"""Pauses between looks at a file that is held open."""
SAY_HELD_S, MAX_SAID = 60.0, 20
"""When a file that is held open is worth a sentence, and for how many files at most; `status` names the others."""


class Trigger(Enum):
    """How a file was noticed."""

    MOVED_IN = "moved in"
    RENAMED = "renamed inside the inbox"
    CLOSED = "closed after writing"
    FOUND = "found by scan"


class Settled(NamedTuple):
    """When a settled file was first noticed, and how."""

    since_s: float
    trigger: Trigger


class _Waiting(NamedTuple):
    identity: Identity
    trigger: Trigger
    slow: bool
    since_s: float
    due_s: float
    quiet: bool = False


class _Held(NamedTuple):
    since_s: float
    looks: int


class Settler:
    """Keeps files until they have settled. The path names a file, its identity tells whether it changed.

    Args:
        closed_s: how long a file must stay unchanged after it was closed.
        found_s: time between the two looks at a file found by scan.
        slow_s: the same on a share, or if the file goes to another file system.
        quiet_s: how long a file must stay unchanged that seems to go on.
        renamed_s: how long a file must stay unchanged after it was renamed inside the inbox.
        say: takes a sentence about a file that is held open for long, once for each.
    """

    def __init__(
        self,
        closed_s: float = 0.05,
        found_s: float = 0.25,
        slow_s: float = 2.0,
        quiet_s: float = QUIET_S,
        renamed_s: float = 0.1,
        say: Say = unsaid,
    ) -> None:
        self._quiet_s, self._say = quiet_s, say
        self._said: set[Path] = set()
        near_s = {Trigger.MOVED_IN: 0.0, Trigger.RENAMED: renamed_s, Trigger.CLOSED: closed_s, Trigger.FOUND: found_s}
        self._wait_s = {False: near_s, True: {**near_s, Trigger.FOUND: slow_s}}
        self._waiting: dict[Path, _Waiting] = {}
        self._held: dict[Path, _Held] = {}
        self._due: list[tuple[float, int, Path]] = []
        self._count = 0

    def __len__(self) -> int:
        """Return how many files wait, without those held open: a program may hold a file open for ever."""
        return len(self._waiting) - len(self._held)

    def held_s(self) -> dict[Path, float]:
        """Return since when each file is known to be held open for writing. Any thread may call this."""
        return {path: held.since_s for path, held in list(self._held.items())}

    def __contains__(self, path: Path) -> bool:
        return path in self._waiting

    def since_s(self) -> dict[Path, float]:
        """Return when each waiting file was noticed. Any thread may call this."""
        return {path: waiting.since_s for path, waiting in list(self._waiting.items())}

    def see(
        self,
        path: Path,
        identity: Identity,
        trigger: Trigger,
        now_s: float,
        unchanged_s: float = 0.0,
        *,
        slow: bool = False,
    ) -> bool:
        """Record that a file was noticed. A trigger with a shorter wait than the known one shortens the wait.

        Args:
            path: of the file.
            identity: of the file now.
            trigger: how the file was noticed.
            now_s: the time.
            unchanged_s: age of its last change, by the clock of the file system; negative if that lies in the future.
            slow: whether the file lies on a share (with a clock of its own) or goes to another file system.

        Returns:
            Whether the file need not wait, so that this look counts as the second one too.
        """
        known, waits_s = self._waiting.get(path), self._wait_s[slow]
        if (
            known is not None
            and known.identity == identity
            and not self._hastens(path, trigger, known.trigger, waits_s)
        ):
            return False
        since_s = now_s if known is None else known.since_s
        rests = trigger is Trigger.FOUND and not slow and unchanged_s >= waits_s[trigger] + COARSE_S
        wait_s = 0.0 if rests else waits_s[trigger]
        self._wait(path, _Waiting(identity, trigger, slow, since_s, now_s + wait_s))
        return wait_s == 0.0

    def next_due_s(self) -> float | None:
        """Return the time of the next look, or None if no file waits."""
        while self._due:
            due_s, _, path = self._due[0]
            known = self._waiting.get(path)
            # A file whose wait restarted leaves its old entry in the heap: it is stale, and dropped here.
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
        """Tell whether a look that began at a time counts as the second look at a file."""
        known = self._waiting.get(path)
        return known is not None and known.due_s <= at_s

    def look(
        self,
        path: Path,
        identity: Identity,
        now_s: float,
        is_held: Callable[[], bool] = lambda: False,
        *,
        goes_on: bool = False,
    ) -> Settled | None:
        """Compare a due file with the first look.

        Args:
            path: of the file.
            identity: of the file now.
            now_s: the time.
            is_held: tells whether a program holds the file open for writing; called only if the file is unchanged.
            goes_on: whether more of the photo seems to come.

        Returns:
            How the file was noticed, if it has settled (then it is forgotten here); None if it has to wait.
        """
        known = self._waiting[path]
        if known.identity != identity:
            # A file that changes after it was moved in has a writer. Without the wait of CLOSED it is read too early.
            trigger = Trigger.CLOSED if known.trigger is Trigger.MOVED_IN else known.trigger
            self._wait(
                path,
                _Waiting(identity, trigger, known.slow, known.since_s, now_s + self._wait_s[known.slow][trigger]),
            )
        elif is_held():
            since_s, looks = self._held.get(path, (now_s, 0))
            self._held[path] = _Held(since_s, looks + 1)
            self._tell(path, now_s - since_s)
            self._wait(path, known._replace(due_s=now_s + HELD_S[min(looks, len(HELD_S) - 1)]))
        elif goes_on and not known.quiet:
            self._wait(path, known._replace(due_s=now_s + self._quiet_s, quiet=True))
        else:
            self.forget(path)
            return Settled(known.since_s, known.trigger)
        return None

    def forget(self, path: Path) -> None:
        """Forget a file that is gone."""
        self._waiting.pop(path, None)
        self._held.pop(path, None)
        self._said.discard(path)

    def _tell(self, path: Path, held_s: float) -> None:
        if held_s >= SAY_HELD_S and path not in self._said and len(self._said) < MAX_SAID:
            self._said.add(path)
            self._say(f"{printable(path.name)} stays in the inbox for now: {HELD}")

    def _hastens(self, path: Path, trigger: Trigger, known: Trigger, waits_s: Mapping[Trigger, float]) -> bool:
        return waits_s[trigger] < waits_s[known] or (trigger is not Trigger.FOUND and path in self._held)

    def _wait(self, path: Path, waiting: _Waiting) -> None:
        self._waiting[path] = waiting
        self._count += 1
        heapq.heappush(self._due, (waiting.due_s, self._count, path))
