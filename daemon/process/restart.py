"""Start the process anew when a part of it hangs or is broken: the inbox is the queue, so nothing is lost by it."""

import os
import sys
from collections.abc import Callable
from typing import NoReturn

from contract.silence import restore

MAX_RESTARTS = 3
"""How often in a row, without a photo dealt with between; then it is for the supervisor, or the user, to look."""
_COUNT = "_PHOTOTRIAGE_RESTARTS"  # handed from process to process, and gone with the last of them


def restart_count() -> int:
    """Return how often in a row the process was started anew to become this one."""
    return int(os.environ.get(_COUNT, "0"))


def restart_process(say: Callable[[str], None], why: str, *, worked: bool, then: str = "") -> NoReturn:
    """Replace this process by a new one with the same arguments, or end it with code 1.

    A thread that hangs cannot be ended and would be waited for, so nothing is closed. That is no more than a kill
    does, and the next start finishes what was begun.

    Args:
        say: takes a sentence for the user.
        why: what hangs or is broken, a sentence without its full stop.
        worked: whether photos were dealt with since the last start, so that restarts get on.
        then: what will be different.
    """
    count = 1 if worked else 1 + restart_count()
    if count > MAX_RESTARTS:
        say(f"{why}, again after {MAX_RESTARTS} restarts in a row. The daemon ends; no photo is lost.")
        os._exit(1)
    say(f"{why}. The daemon restarts{then}.")
    restore()  # or the next process would be as silent as this one's decoders
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, _COUNT: str(count)})
