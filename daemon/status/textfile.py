"""The metrics as a text file for the textfile collector of node_exporter; a reader always sees a whole file."""

import os
from collections.abc import Callable
from pathlib import Path

from common.text import printable
from daemon.status.metrics import MISSING, MetricsError, available, exposition
from daemon.status.monitor import Monitor
from daemon.status.snapshot_parts import State

EVERY_S = 15.0
FIRST_S = 2.0
"""Delay of the first write, so that loading the package does not delay the start."""
READABLE = 0o644
"""Mode of the file, because node_exporter runs as another user."""


class MetricsFile:
    """Writes the metrics to a file from time to time; used by one thread.

    Args:
        path: of the file.
        monitor: gives the status.
        say: takes a sentence for the user, once for each lasting problem.
        now_s: the time, on the monotonic clock.

    Raises:
        MetricsError: the package for it is not installed, or there is no such folder.
    """

    def __init__(self, path: Path, monitor: Monitor, say: Callable[[str], None], now_s: float) -> None:
        if not available():
            raise MetricsError(MISSING)
        if not path.parent.is_dir():
            raise MetricsError(
                f"The folder of the metrics file {printable(path)} does not exist. Create it, or name another file."
            )
        self._path = path
        self._part = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        self._monitor = monitor
        self._say = say
        self._due_s = now_s + FIRST_S
        self._trouble = ""

    def due_s(self) -> float:
        """Return when to call `tick` again, on the monotonic clock."""
        return self._due_s

    def tick(self, now_s: float) -> None:
        """Write the file if it is due."""
        if now_s >= self._due_s:
            self._due_s = now_s + EVERY_S
            self._write()

    def close(self) -> None:
        """Write the file for the last time, with the state `stopped`."""
        self._monitor.enter(State.STOPPED)
        self._write()

    def _write(self) -> None:
        try:
            self._replace(exposition(self._monitor.snapshot()))
        except OSError as error:
            self._tell(f"the metrics file {printable(self._path)} cannot be written ({error.strerror})")
        else:
            self._tell("")

    def _replace(self, text: bytes) -> None:
        """Replace the file atomically; a link in its place is replaced and not followed."""
        self._part.unlink(missing_ok=True)
        try:
            descriptor = os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as out:
                out.write(text)
                os.fchmod(descriptor, READABLE)
            self._part.replace(self._path)
        finally:
            self._part.unlink(missing_ok=True)

    def _tell(self, trouble: str) -> None:
        if trouble and trouble != self._trouble:
            self._say(trouble)
        self._trouble = trouble
