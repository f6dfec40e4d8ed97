"""The wishes that come as signals: to end, taken once, that the parts of the daemon can wait for; and to load anew."""

import fcntl
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class SignalHandler:
    """The wish to end, from a signal; calls the pipeline's `stop` once there is one.

    Attributes:
        reload: called for SIGHUP, unless it comes because the terminal was closed in which the daemon was started.
    """

    def __init__(self) -> None:
        self.reload: Callable[[], None] = _nothing
        # A copy, because what the number leads to changes while photos are decoded.
        terminal = next((number for number in range(3) if os.isatty(number)), None)
        self._terminal = terminal if terminal is None else fcntl.fcntl(terminal, fcntl.F_DUPFD_CLOEXEC, 3)
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

    def hang_up(self, _number: int = 0, _frame: FrameType | None = None) -> None:
        """Take SIGHUP: the wish to load anew, or from a terminal that is no more, to end."""
        if self._terminal is not None and not os.isatty(self._terminal):
            self.ask()
        else:
            self.reload()

    def close(self) -> None:
        """Let go of the terminal."""
        if self._terminal is not None:
            os.close(self._terminal)
            self._terminal = None

    def then(self, action: Callable[[], None]) -> None:
        """Set what a signal does; at once if it came already."""
        self._action = action
        if self.event.is_set():
            action()


@contextmanager
def signals(*, hang_up: bool = False) -> Iterator[SignalHandler]:
    """Yield what SIGTERM and SIGINT set, until the end of the block; on wish it takes SIGHUP too."""
    stop = SignalHandler()
    before = {number: signal.signal(number, stop.ask) for number in (signal.SIGTERM, signal.SIGINT)}
    if hang_up:
        before[signal.SIGHUP] = signal.signal(signal.SIGHUP, stop.hang_up)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        stop.close()


def _nothing() -> None:
    pass
