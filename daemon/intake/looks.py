"""Reads the state of files: directly on a local disk, and by several threads in the background on a share.

On a share each look is a round trip to its server. One after another, 4,096 looks would take minutes; meanwhile new
files elsewhere in the inbox, and the end of the daemon, would have to wait.
"""

import queue
import threading
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import NamedTuple

from daemon.decode.endings import goes_on
from daemon.files.identity import Identity, look_at, look_closely_at, look_fresh
from daemon.intake.settle import QUIET_S, Trigger
from daemon.process.clock import Clock
from daemon.process.heartbeat import Heartbeat
from daemon.process.parallel import SHARE_TOGETHER

_END, _ANNOUNCED, _SECOND, _FOUND = range(4)
"""Priority of looks at a share: a second look makes a photo ready, a first one only adds a name."""


class FileState(NamedTuple):
    """The result of one look.

    Attributes:
        path: of the file.
        trigger: how the file was noticed; None for the second look.
        seen: identity of the file and the time of its last change; None if it is gone.
        began_s: when the look began, on the monotonic clock.
        goes_on: for the second look at a file that was just written: whether more of its photo seems to come.
    """

    path: Path
    trigger: Trigger | None
    seen: tuple[Identity, float] | None
    began_s: float
    goes_on: bool = False


class Looks:
    """Looks at files for one thread, which gets the results.

    Args:
        clock: time.
        answered: takes each result.
        put: takes a result from a share, called by other threads; the result comes back through `came`.

    Attributes:
        heartbeat: records that looks at a share make progress.
    """

    def __init__(self, clock: Clock, answered: Callable[[FileState], None], put: Callable[[FileState], None]) -> None:
        self._clock = clock
        self._answered = answered
        self._put = put
        self._asked: set[tuple[Path, Trigger | None]] = set()
        self._queue: queue.PriorityQueue[tuple[int, int, Path, Trigger | None]] = queue.PriorityQueue()
        self._count = count()
        self._threads: list[threading.Thread] = []
        self.heartbeat = Heartbeat(clock.monotonic_s)

    def __len__(self) -> int:
        """Return how many looks at a share have not come back."""
        return len(self._asked)

    def look(self, path: Path, trigger: Trigger | None, *, fresh: bool, on_share: bool) -> None:
        """Look at a file.

        Args:
            path: of the file.
            trigger: how the file was noticed; None for the second look.
            fresh: whether cached attributes may be old, so that the second look must ask the file system again.
            on_share: whether each look is a round trip.
        """
        if not on_share:
            self._answered(self._look(path, trigger, fresh=fresh))
        elif (path, trigger) not in self._asked:
            self._asked.add((path, trigger))
            rank = _SECOND if trigger is None else _FOUND if trigger is Trigger.FOUND else _ANNOUNCED
            self._queue.put((rank, next(self._count), path, trigger))
            if len(self._threads) < min(SHARE_TOGETHER, len(self._asked)):
                self._start()

    def came(self, looked: FileState) -> None:
        """Take a result from a share."""
        self._asked.discard((looked.path, looked.trigger))
        self._answered(looked)

    def close(self) -> None:
        """End the threads after their current looks."""
        for _ in self._threads:
            self._queue.put((_END, next(self._count), Path(), None))
        for thread in self._threads:
            thread.join()

    def _start(self) -> None:
        thread = threading.Thread(target=self._run, name=f"look-{len(self._threads)}", daemon=True)
        thread.start()
        self._threads.append(thread)

    def _run(self) -> None:
        while True:
            rank, _, path, trigger = self._queue.get()
            if rank == _END:
                return
            self.heartbeat.begin()
            self._put(self._look(path, trigger, fresh=True))
            self.heartbeat.end()

    def _look(self, path: Path, trigger: Trigger | None, *, fresh: bool) -> FileState:
        began_s = self._clock.monotonic_s()
        if trigger is not None:
            return FileState(path, trigger, look_closely_at(path), began_s)
        identity = (look_fresh if fresh else look_at)(path)
        if identity is None:
            return FileState(path, trigger, None, began_s)
        is_young = self._clock.wall_s() - identity.mtime_ns / 1e9 < QUIET_S
        return FileState(path, trigger, (identity, 0.0), began_s, is_young and goes_on(path, identity.size))
