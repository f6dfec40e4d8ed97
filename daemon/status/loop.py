"""The one thread that looks after the vitals: it tells the supervisor, answers questions, and sleeps in between."""

import json
import os
import select
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Protocol, Self

from daemon.process.clock import Clock
from daemon.process.log_level import Say
from daemon.process.sd_notify import notify
from daemon.status import metrics
from daemon.status.monitor import Monitor
from daemon.status.server import JSON, TEXT, Answer, StatusServer
from daemon.status.supervisor import from_environment
from daemon.status.textfile import TextFile
from daemon.status.unix_socket import BusyError, Place, SocketError

LAST_WORD = "stopped.json"
"""What was known at the last orderly end; gone while the daemon runs, and after one that was killed."""

AFTER_ERROR_S = 1.0


class PeriodicTask(Protocol):
    """Something that is done from time to time."""

    def due_s(self) -> float:
        """Return when it is to be done next, on the monotonic clock."""

    def tick(self, now_s: float) -> None:
        """Do what is due."""


class StatusLoop:
    """Runs from the start of its block to the end, whatever the rest of the daemon is stuck in.

    Args:
        monitor: what there is to tell.
        duties: what to do from time to time; must not wait for anything.
        clock: time.
        say: takes a sentence for the user.
    """

    def __init__(
        self, monitor: Monitor, duties: Sequence[PeriodicTask], clock: Clock, say: Callable[[str], None]
    ) -> None:
        self.monitor = monitor
        self._duties = duties
        self._clock = clock
        self._say = say
        self._wake = -1
        self._ending = False
        self._state: Path | None = None
        self._listener: StatusServer | None = None
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
        if self._listener is not None:
            self._leave_word()
            self._listener.close()

    def listen(self, state: Path) -> None:
        """Answer questions from now on, if the state folder is there; nothing happens if that is so already.

        To be called while no other thread makes files, and by whoever must listen with its folder locked.
        """
        if self._listener is not None or not state.is_dir():
            return
        try:
            self._listener = StatusServer(Place(state), self._answer)
        except SocketError as error:
            if not isinstance(error, BusyError):  # then this process is about to hear that the inbox is locked
                self._say(str(error))
            return
        self._state = state
        with suppress(OSError):
            (state / LAST_WORD).unlink()
        os.eventfd_write(self._wake, 1)

    def _run(self) -> None:
        while not self._ending:
            try:
                self._round()
            except Exception as error:  # noqa: BLE001 - a question that fails must not stop the feeding of the watchdog
                self._say(f"something is wrong in how the daemon says how it is: {error!r}")
                self._ready(None, AFTER_ERROR_S)

    def _round(self) -> None:
        now_s = self._clock.monotonic_s()
        listener = self._listener
        duties = [*self._duties, *([listener] if listener else [])]
        for duty in duties:
            duty.tick(now_s)
        wait_s = min((duty.due_s() for duty in duties), default=float("inf")) - self._clock.monotonic_s()
        for number in self._ready(listener, wait_s):
            if listener is not None and number != self._wake:
                listener.serve(number, self._clock.monotonic_s())

    def _ready(self, listener: StatusServer | None, wait_s: float) -> list[int]:
        poller = select.poll()
        poller.register(self._wake, select.POLLIN)
        for number, event in listener.interests() if listener else ():
            poller.register(number, event)
        ready = [number for number, _ in poller.poll(None if wait_s == float("inf") else max(0.0, 1e3 * wait_s))]
        if self._wake in ready:
            os.eventfd_read(self._wake)
        return ready

    def _answer(self, path: str) -> Answer | None:
        if path == "/status":
            return Answer("200 OK", JSON, json.dumps(self.monitor.snapshot().to_json()).encode() + b"\n")
        if path == "/metrics":
            try:
                return Answer("200 OK", metrics.KIND, metrics.exposition(self.monitor.snapshot()))
            except metrics.MetricsError as error:
                return Answer("501 Not Implemented", TEXT, f"{error}\n".encode())
        return None

    def _leave_word(self) -> None:
        """Write down how it was at the end, for whoever asks a daemon that is down."""
        assert self._state is not None
        with suppress(OSError):  # nobody misses it but a curious user
            (self._state / LAST_WORD).write_text(json.dumps(self.monitor.snapshot().to_json()), encoding="utf-8")


@contextmanager
def kept(monitor: Monitor, clock: Clock, say: Say, metrics_file: Path | None) -> Iterator[StatusLoop]:
    """Tell the supervisor and write the metrics file until the end of the block; yields who is asked to listen.

    Args:
        monitor: what there is to tell.
        clock: time.
        say: takes a sentence for the user.
        metrics_file: where metrics are written, if they are.

    Raises:
        MetricsError: they cannot be.
    """
    duties: list[PeriodicTask] = [from_environment(monitor, notify, say)]
    with ExitStack() as stack:
        if metrics_file is not None:
            text_file = stack.enter_context(closing(TextFile(metrics_file, monitor, say, clock.monotonic_s())))
            duties.append(text_file)
        yield stack.enter_context(StatusLoop(monitor, duties, clock, say))
