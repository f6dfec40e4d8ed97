"""The status thread: it feeds the watchdog, answers requests for the status, and sleeps in between."""

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
from daemon.status.textfile import MetricsFile
from daemon.status.unix_socket import BusyError, ListeningSocket, SocketError

LAST_STATUS = "stopped.json"
"""The status at the last orderly end. The file is missing while the daemon runs, and after a kill."""

AFTER_ERROR_S = 1.0


class PeriodicTask(Protocol):
    """Something that the status thread does from time to time."""

    def due_s(self) -> float:
        """Return when to call `tick` next, on the monotonic clock."""

    def tick(self, now_s: float) -> None:
        """Do what is due."""


class StatusThread:
    """Runs during its block in a separate thread, so that a stuck stage does not stop it.

    Args:
        monitor: gives the status.
        tasks: done from time to time; they must not block.
        clock: time.
        say: takes a sentence for the user.
    """

    def __init__(
        self, monitor: Monitor, tasks: Sequence[PeriodicTask], clock: Clock, say: Callable[[str], None]
    ) -> None:
        self.monitor = monitor
        self._tasks = tasks
        self._clock = clock
        self._say = say
        self._wake = -1
        self._ending = False
        self._state: Path | None = None
        self._server: StatusServer | None = None
        self._thread = threading.Thread(target=self._run, name="status", daemon=True)

    def __enter__(self) -> Self:
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending = True
        os.eventfd_write(self._wake, 1)
        self._thread.join()
        os.close(self._wake)
        if self._server is not None:
            self._write_last_status()
            self._server.close()

    def listen(self, state: Path) -> None:
        """Answer requests from now on, if the state folder exists; once it listens, a call does nothing.

        Call it while no other thread creates files, because the umask of the process changes for a moment. A daemon
        that must listen calls it again after it has locked the state folder: before that, another one may hold it.
        """
        if self._server is not None or not state.is_dir():
            return
        try:
            self._server = StatusServer(ListeningSocket(state), self._answer)
        except SocketError as error:
            if not isinstance(error, BusyError):  # the check of the lock reports another daemon
                self._say(str(error))
            return
        self._state = state
        with suppress(OSError):
            (state / LAST_STATUS).unlink()
        os.eventfd_write(self._wake, 1)

    def _run(self) -> None:
        while not self._ending:
            try:
                self._round()
            except Exception as error:  # noqa: BLE001 - a failed request must not stop the watchdog feed
                self._say(f"an internal error in the status of the daemon: {error!r}")
                self._ready(None, AFTER_ERROR_S)

    def _round(self) -> None:
        now_s = self._clock.monotonic_s()
        server = self._server
        tasks = [*self._tasks, *([server] if server else [])]
        for task in tasks:
            task.tick(now_s)
        wait_s = min((task.due_s() for task in tasks), default=float("inf")) - self._clock.monotonic_s()
        for number in self._ready(server, wait_s):
            if server is not None and number != self._wake:
                server.serve(number, self._clock.monotonic_s())

    def _ready(self, server: StatusServer | None, wait_s: float) -> list[int]:
        poller = select.poll()
        poller.register(self._wake, select.POLLIN)
        for number, event in server.interests() if server else ():
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

    def _write_last_status(self) -> None:
        """Write the last status, which `phototriage status` shows of a daemon that is down."""
        assert self._state is not None
        with suppress(OSError):  # then `status` shows the ledger alone
            (self._state / LAST_STATUS).write_text(json.dumps(self.monitor.snapshot().to_json()), encoding="utf-8")


@contextmanager
def status_thread(monitor: Monitor, clock: Clock, say: Say, metrics_file: Path | None) -> Iterator[StatusThread]:
    """Feed the watchdog and write the metrics file until the end of the block; yields the thread, which can listen.

    Args:
        monitor: gives the status.
        clock: time.
        say: takes a sentence for the user.
        metrics_file: where to write metrics; None for nowhere.

    Raises:
        MetricsError: metrics cannot be written there.
    """
    tasks: list[PeriodicTask] = [from_environment(monitor, notify, say)]
    with ExitStack() as stack:
        if metrics_file is not None:
            text_file = stack.enter_context(closing(MetricsFile(metrics_file, monitor, say, clock.monotonic_s())))
            tasks.append(text_file)
        yield stack.enter_context(StatusThread(monitor, tasks, clock, say))
