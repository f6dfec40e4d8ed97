"""Time as it is passed to whoever would otherwise read it."""

import time


class Clock:
    """The real clock; tests pass one that they turn by hand."""

    def monotonic_s(self) -> float:
        """Seconds that only ever grow."""
        return time.monotonic()

    def wall_s(self) -> float:
        """Seconds since 1970, which may jump."""
        return time.time()
