"""Tells systemd the status line, and feeds its watchdog while no stage is stuck. Time is passed in."""

import os
from collections.abc import Callable, Mapping

from daemon.process.log_level import Level, Say
from daemon.status.monitor import Monitor
from daemon.status.status_line import status_line

STATUS_S = 5.0
"""The status line is sent at most this often, and only after a change."""
FEEDS = 2
"""Feeds within the watchdog's time, as sd_watchdog_enabled(3) advises."""


def watchdog_s(environ: Mapping[str, str], pid: int) -> float:
    """Return the watchdog's time in seconds; 0 if this process has no watchdog.

    Source: sd_watchdog_enabled(3).
    """
    if environ.get("WATCHDOG_PID", str(pid)) != str(pid):
        return 0.0
    microseconds = environ.get("WATCHDOG_USEC", "")
    return int(microseconds) / 1e6 if microseconds.isdecimal() else 0.0


class SupervisorNotifier:
    """Notifies the supervisor; used by one thread.

    Args:
        monitor: gives the status.
        send: sends a message to the supervisor.
        say: takes a sentence for the user.
        feed_within_s: how often the watchdog must be fed; 0 for no watchdog.
    """

    def __init__(self, monitor: Monitor, send: Callable[[str], None], say: Say, feed_within_s: float) -> None:
        self._monitor = monitor
        self._send = send
        self._say = say
        self._feed_s = feed_within_s / FEEDS
        self._fed_s = self._status_sent_s = -float("inf")
        self._line = ""
        self._stuck = ""

    def due_s(self) -> float:
        """Return when to call `tick` again, on the monotonic clock."""
        times_s = [self._status_sent_s + STATUS_S]
        if self._feed_s:
            times_s.append(self._fed_s + self._feed_s)
        return min(times_s)

    def tick(self, now_s: float) -> None:
        """Send what is due."""
        if self._feed_s and now_s >= self._fed_s + self._feed_s:
            self._fed_s = now_s
            if not self._check_stuck():
                self._send("WATCHDOG=1")
        if now_s >= self._status_sent_s + STATUS_S:
            self._status_sent_s = now_s
            self._check_stuck()
            line = status_line(self._monitor.snapshot())
            if line != self._line:
                self._line = line
                self._send(f"STATUS={line}")

    def _check_stuck(self) -> bool:
        """Tell whether a stage is stuck; its beginning and its end are reported once."""
        stuck = self._monitor.stuck()
        if bool(stuck) != bool(self._stuck):
            if stuck:
                fed = " The watchdog is not fed until that ends." if self._feed_s else ""
                self._say(f"stuck: {stuck}.{fed}", Level.ERROR)
                self._monitor.trouble(stuck)
            else:
                self._say(f"no longer stuck; before, {self._stuck}", Level.NOTICE)
        self._stuck = stuck
        return bool(stuck)


def from_environment(monitor: Monitor, send: Callable[[str], None], say: Say) -> SupervisorNotifier:
    """Make the notifier that the environment of this process asks for."""
    return SupervisorNotifier(monitor, send, say, watchdog_s(os.environ, os.getpid()))
