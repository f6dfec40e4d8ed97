"""The one thread that looks after the vitals: it tells the supervisor, and sleeps in between."""

import os
import select
import threading
from typing import Self

from daemon.clock import Clock
from daemon.vitals.herald import Herald


class Keeper:
    """Runs from the start of its block to the end, whatever the rest of the daemon is stuck in.

    Args:
        herald: tells the supervisor.
        clock: time.
    """

    def __init__(self, herald: Herald, clock: Clock) -> None:
        self._herald = herald
        self._clock = clock
        self._wake = -1
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="vitals", daemon=True)

    def __enter__(self) -> Self:
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending = True
        os.eventfd_write(self._wake, 1)
        self._thread.join()
        os.close(self._wake)

    def _run(self) -> None:
        poller = select.poll()
        poller.register(self._wake, select.POLLIN)
        while not self._ending:
            self._herald.tick(self._clock.monotonic_s())
            poller.poll(max(0.0, 1e3 * (self._herald.due_s() - self._clock.monotonic_s())))
