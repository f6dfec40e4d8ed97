"""Signals: SIGTERM and SIGINT stop the daemon, SIGHUP reloads the model."""

import ctypes
import fcntl
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

STOPS = (signal.SIGTERM, signal.SIGINT)
_DEFAULT = None  # SIG_DFL of signal(2)


class SignalHandler:
    """Handles signals; a signal to stop calls the pipeline's `stop` once there is a pipeline.

    Attributes:
        event: set by the first signal to stop.
        reload: called for SIGHUP, unless SIGHUP comes because the daemon's terminal was closed.
        arrivals: descriptor to which the number of each signal is written at once (`signal.set_wakeup_fd`).
    """

    def __init__(self) -> None:
        self.reload: Callable[[], None] = _nothing
        # A copy, because standard streams are redirected while photos are decoded.
        terminal = next((number for number in range(3) if os.isatty(number)), None)
        self._terminal = terminal if terminal is None else fcntl.fcntl(terminal, fcntl.F_DUPFD_CLOEXEC, 3)
        self.event = threading.Event()
        self._asked = False
        self._action: Callable[[], None] = self.event.set
        self._arrived, self.arrivals = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

    def request_stop(self, _number: int = 0, _frame: FrameType | None = None) -> None:
        """Handle the first signal to stop. A second one is ignored: it could wait for a lock that this call holds."""
        if self._asked:
            return
        self._asked = True
        self.event.set()
        self._action()

    def on_hangup(self, _number: int = 0, _frame: FrameType | None = None) -> None:
        """Handle SIGHUP: reload, or stop if the daemon's terminal is gone."""
        if self._terminal is not None and not os.isatty(self._terminal):
            self.request_stop()
        else:
            self.reload()

    def end_at_once(self) -> bool:
        """Let a signal to stop end the process at once from now on; tell whether one came before. For any thread.

        A process that is about to be replaced would lose such a signal: handlers run later, and in the main thread,
        which may hang. So the kernel's default action takes their place, and arrivals are asked for afterwards.
        """
        for number in STOPS:
            ctypes.CDLL(None).signal(number, _DEFAULT)
        with suppress(BlockingIOError):
            return self.event.is_set() or any(number in STOPS for number in os.read(self._arrived, 1 << 16))
        return False

    def close(self) -> None:
        """Close the copy of the terminal and the pipe of arrivals."""
        os.close(self._arrived)
        os.close(self.arrivals)
        if self._terminal is not None:
            os.close(self._terminal)
            self._terminal = None

    def on_stop(self, action: Callable[[], None]) -> None:
        """Set what a signal to stop does, and do it at once if the signal has come already."""
        self._action = action
        if self.event.is_set():
            action()


@contextmanager
def signals(*, hang_up: bool = False) -> Iterator[SignalHandler]:
    """Yield the handler of SIGTERM and SIGINT, and with `hang_up` of SIGHUP, until the end of the block."""
    stop = SignalHandler()
    arrivals = signal.set_wakeup_fd(stop.arrivals, warn_on_full_buffer=False)
    before = {number: signal.signal(number, stop.request_stop) for number in STOPS}
    if hang_up:
        before[signal.SIGHUP] = signal.signal(signal.SIGHUP, stop.on_hangup)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(arrivals)
        stop.close()


def _nothing() -> None:
    pass
