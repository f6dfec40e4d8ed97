"""The clock, passed in so that tests need not wait."""

import time
from datetime import datetime


class Clock:
    """The real clock; tests pass one that they set by hand."""

    def monotonic_s(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()

    def wall_s(self) -> float:
        """Return seconds since 1970, which may jump."""
        return time.time()


def local(at_s: float) -> datetime:
    """Return a moment of the wall clock, in seconds since 1970, in local time."""
    return datetime.fromtimestamp(at_s).astimezone()
