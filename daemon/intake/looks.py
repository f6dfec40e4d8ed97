"""Looks at files of the inbox: at once where it is near, and many at a time, beside everything else, on a share.

A look at a share is a round trip to its server. One after another, 4,096 of them would take minutes, and what is
announced elsewhere in the inbox would wait behind them, as would the end of the daemon.
"""

import queue
import threading
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import NamedTuple

from daemon.files.identity import Identity, look_at, look_closely_at, look_fresh
from daemon.intake.settle import Trigger
from daemon.process.clock import Clock
from daemon.process.heartbeat import Heartbeat
from daemon.process.parallel import FAR_TOGETHER

_END, _ANNOUNCED, _SECOND, _FOUND = range(4)
"""The order in which a share is asked: a second look brings a photo out, a first one only another name in."""


class FileState(NamedTuple):
    """What one look saw.

    Attributes:
        path: of the file.
        sign: by which it was noticed; None for the second look.
        seen: what it looks like, and when it was last changed; None if it is gone.
        began_s: when the look began, on the monotonic clock.
    """

    path: Path
    sign: Trigger | None
    seen: tuple[Identity, float] | None
    began_s: float


class Looks:
    """Looks; for one thread, which gets the answers.

    Args:
        clock: time.
        answered: takes what was seen at once.
        put: takes what was seen on a share, from other threads; it comes back through `came`.

    Attributes:
        heartbeat: where it is noted that looks at a share come to an end.
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

    def look(self, path: Path, sign: Trigger | None, *, far: bool, on_share: bool) -> None:
        """Look at a file.

        Args:
            path: of the file.
            sign: by which it was noticed; None for the second look.
            far: what is merely looked up may be old, so the second look asks further.
            on_share: each look is a round trip.
        """
        if not on_share:
            self._answered(self._look(path, sign, far=far))
        elif (path, sign) not in self._asked:
            self._asked.add((path, sign))
            rank = _SECOND if sign is None else _FOUND if sign is Trigger.FOUND else _ANNOUNCED
            self._queue.put((rank, next(self._count), path, sign))
            if len(self._threads) < min(FAR_TOGETHER, len(self._asked)):
                self._start()

    def came(self, looked: FileState) -> None:
        """Take an answer from a share."""
        self._asked.discard((looked.path, looked.sign))
        self._answered(looked)

    def close(self) -> None:
        """End the threads, once each is through with the look that it is at."""
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
            rank, _, path, sign = self._queue.get()
            if rank == _END:
                return
            self.heartbeat.begin()
            self._put(self._look(path, sign, far=True))
            self.heartbeat.end()

    def _look(self, path: Path, sign: Trigger | None, *, far: bool) -> FileState:
        began_s = self._clock.monotonic_s()
        if sign is not None:
            return FileState(path, sign, look_closely_at(path), began_s)
        identity = (look_fresh if far else look_at)(path)
        return FileState(path, sign, None if identity is None else (identity, 0.0), began_s)
