"""Waits at the start for a mount that is missing, because a daemon may start before its disk or share is there."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from daemon.files.marker import MountMissingError
from daemon.process.sd_notify import notify
from daemon.process.signals import SignalHandler
from daemon.status.monitor import Monitor
from daemon.status.report import Report
from daemon.status.status_line import status_line

MOUNT_LOOK_S = 5.0
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class MountWait:
    """Waits for mounts, and reports each missing one once.

    Attributes:
        monitor: shows why the start waits.
        report: takes the sentence for the user.
        signals: a signal to stop ends the wait.
        once: whether to raise at once instead, as `sort` does.
    """

    monitor: Monitor
    report: Report
    signals: SignalHandler
    once: bool

    def until(self, look: Callable[[], Found]) -> Found | None:
        """Call `look` until no mount is missing, and return what it returns; None after a signal to stop.

        Raises:
            MountMissingError: a mount is missing, and `once` is set.
        """
        heartbeat = self.monitor.stage("start")
        while True:
            heartbeat.begin()
            try:
                found = look()
            except MountMissingError as missing:
                if self.once:
                    raise
                self._tell(str(missing))
                if self.signals.event.wait(MOUNT_LOOK_S):
                    return None
            else:
                self.monitor.waits_for_mount("")
                return found

    def _tell(self, missing: str) -> None:
        if self.monitor.waits_for_mount(missing):
            self.report.say(f"paused: {missing}")
            notify(f"READY=1\nSTATUS={status_line(self.monitor.snapshot())}")
