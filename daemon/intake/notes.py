"""What other threads ask of the thread that runs the intake: calls in a queue, which that thread makes."""

import queue
from collections.abc import Callable
from contextlib import suppress
from functools import partial


class Notes:
    """The queue. Any thread may put calls; one thread makes them."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        self._woken = False

    def __len__(self) -> int:
        return self._calls.qsize()

    def put(self, call: Callable[..., object], *arguments: object) -> None:
        """Ask for a call."""
        self._calls.put(partial(call, *arguments))

    def wake(self) -> None:
        """Make the next `wait`, or one that waits now, return."""
        self.put(self._wake)

    def make(self) -> None:
        """Make all calls that wait."""
        while not self._calls.empty():
            self._calls.get()()

    def was_woken(self) -> bool:
        """Tell whether a wake came since the last time; else a wake that comes before the wait would be missed."""
        woken, self._woken = self._woken, False
        return woken

    def wait(self, seconds: float) -> None:
        """Wait for a call, and make it."""
        with suppress(queue.Empty):
            self._calls.get(timeout=seconds)()

    def _wake(self) -> None:
        self._woken = True
