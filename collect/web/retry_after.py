"""Wait as long as a server asks, within reason, and try again."""

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import TypeVar

from collect.errors import BusyError

LONGEST_WAIT_S, MOST_WAITING_S = 120.0, 600.0
PAUSES_S = (5.0, 20.0)
"""Before the second and the third try, where a server does not say how long to wait."""

Answer = TypeVar("Answer")
Wait = Callable[[float], None]


def retry_after_s(header: str | None) -> float | None:
    """Return the seconds of a `Retry-After`, which are written as a number or as a date; None if it says nothing."""
    text = (header or "").strip()
    if text.isascii() and text.isdigit() and len(text) < 9:
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


class Pauses:
    """The pauses of one collection: none longer than `LONGEST_WAIT_S`, and all together `MOST_WAITING_S`.

    Args:
        wait: sleeps.
    """

    def __init__(self, wait: Wait) -> None:
        self._wait, self._left_s = wait, MOST_WAITING_S

    def take(self, seconds: float) -> bool:
        """Wait, or return that it would be too long."""
        if seconds > min(LONGEST_WAIT_S, self._left_s):
            return False
        self._left_s -= seconds
        self._wait(seconds)
        return True


def patiently(ask: Callable[[], Answer], pauses: Pauses) -> Answer:
    """Ask up to three times, with the pauses that the server asks for.

    Raises:
        BusyError: it is still busy, or asks for too long a pause.
    """
    for pause_s in PAUSES_S:
        try:
            return ask()
        except BusyError as busy:
            if not pauses.take(pause_s if busy.wait_s is None else busy.wait_s):
                raise
    return ask()


def pause(seconds: float) -> None:
    """Sleep, and say so."""
    import click

    click.echo(f"Waiting {seconds:.0f} s, because the server asks for it.", err=True)
    time.sleep(seconds)
