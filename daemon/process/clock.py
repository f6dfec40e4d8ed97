"""The clock, passed in so that tests need not wait."""

import time
from datetime import datetime

_BACK_OFF_S = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 120.0, 300.0)


class Clock:
    """The real clock; tests pass one that they set by hand."""

    def monotonic_s(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()

    def wall_s(self) -> float:
        """Return seconds since 1970, which may jump."""
        return time.time()


def back_off_s(failed: int, longest_s: float = _BACK_OFF_S[-1]) -> float:
    """Return how long to wait before something that failed is tried again: ever longer, at last five minutes.

    Args:
        failed: how many tries have failed before the last one.
        longest_s: limit of the wait.
    """
    return min(longest_s, _BACK_OFF_S[min(failed, len(_BACK_OFF_S) - 1)])


def local(at_s: float) -> datetime:
    """Return a moment of the wall clock, in seconds since 1970, in local time."""
    return datetime.fromtimestamp(at_s).astimezone()
