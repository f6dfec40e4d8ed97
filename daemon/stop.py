"""The wish to end: a signal, taken once, that the parts of the daemon can wait for."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class Stop:
    """The wish to end, from a signal; calls the pipeline's `stop` once there is one."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self._asked = False
        self._action: Callable[[], None] = self.event.set

    def ask(self, _number: int = 0, _frame: FrameType | None = None) -> None:
        """Take the first signal; one that comes while this runs would wait for a lock that is held below it."""
        if self._asked:
            return
        self._asked = True
        self.event.set()
        self._action()

    def then(self, action: Callable[[], None]) -> None:
        """Set what a signal does; at once if it came already."""
        self._action = action
        if self.event.is_set():
            action()


@contextmanager
def signals() -> Iterator[Stop]:
    """Yield what SIGTERM and SIGINT set, until the end of the block."""
    stop = Stop()
    before = {number: signal.signal(number, stop.ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
