"""Restarts the process when a part hangs or is broken. Nothing is lost, because the inbox is the queue."""

import os
import sys
from collections.abc import Callable
from typing import NoReturn

from common.silence import restore
from daemon.process.signals import SignalHandler

MAX_RESTARTS = 3
"""Restarts in a row without a handled photo in between; then the process ends, and the supervisor takes over."""
_COUNT = "_PHOTOTRIAGE_RESTARTS"  # passed from process to process


def restart_count() -> int:
    """Return how many restarts in a row led to this process."""
    return int(os.environ.get(_COUNT, "0"))


def restart_process(
    say: Callable[[str], None], why: str, *, worked: bool, signals: SignalHandler, then: str = ""
) -> NoReturn:
    """Replace this process by a new one with the same arguments, or end it with code 1 if a signal to stop came.

    Nothing is closed, because a hung thread cannot be ended and closing would wait for it. This is like a kill, and the
    next start completes what was interrupted.

    Args:
        say: takes a sentence for the user.
        why: what hangs or is broken, a sentence without its full stop.
        worked: whether photos were handled since the last start, so that restarts make progress.
        signals: from now on, a signal to stop ends the process at once.
        then: what the next process does differently.
    """
    if signals.end_at_once():
        say(f"{why}. phototriage was asked to stop, so it ends, and the next start goes on{then}.")
        os._exit(1)
    count = 1 if worked else 1 + restart_count()
    if count > MAX_RESTARTS:
        say(f"{why}, again after {MAX_RESTARTS} restarts in a row. The daemon ends; no photo is lost.")
        os._exit(1)
    say(f"{why}. The daemon restarts{then}.")
    restore()  # else the next process has no output: the decoders were silenced
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, _COUNT: str(count)})
