"""Batch sizes on CUDA, and how large a batch may be while the GPU's memory is short."""

from contract.batches import CUDA_BATCHES
from daemon.process.clock import Clock
from daemon.process.log_level import Level, Say, unsaid

BUCKETS = tuple(CUDA_BATCHES)
"""Batch sizes on CUDA, rising; each is made ready before the daemon is."""
GROW_AFTER_S = (15.0, 30.0, 60.0, 120.0, 240.0)
"""How long a bucket that did not fit is left alone, each time that it did not: others use the GPU's memory too."""


class Buckets:
    """Knows the largest bucket that is worth trying; used by the thread that classifies.

    Args:
        clock: time.
        say: takes one sentence when batches have to become smaller, and when they are as large as they were again.
    """

    def __init__(self, clock: Clock | None = None, say: Say = unsaid) -> None:
        self._clock = clock or Clock()
        self._say = say
        self._largest = BUCKETS[-1]
        self._again_s = 0.0
        self._tries = 0

    def largest(self) -> int:
        """Return the most photos that the next batch may have; it rises when the time has come to try again."""
        if self._largest < BUCKETS[-1] and self._clock.monotonic_s() >= self._again_s:
            self._largest = BUCKETS[BUCKETS.index(self._largest) + 1]
            self._again_s = self._clock.monotonic_s() + GROW_AFTER_S[0]
            if self._largest == BUCKETS[-1]:
                self._say(f"batches of {self._largest} photos are tried on the GPU again", Level.NOTICE)
        return self._largest

    def fitted(self, size: int) -> None:
        """Take note that a bucket fitted."""
        if size == BUCKETS[-1]:
            self._tries = 0

    def shrink(self, tried: int, why: str) -> bool:
        """Take note that a bucket did not fit, in the library's words; False if there is no smaller one."""
        self._again_s = self._clock.monotonic_s() + GROW_AFTER_S[min(self._tries, len(GROW_AFTER_S) - 1)]
        self._tries += 1
        if tried == BUCKETS[0]:
            self._largest = BUCKETS[0]
            return False
        self._largest = BUCKETS[BUCKETS.index(tried) - 1]
        self._say(f"the GPU does not take {tried} photos at once ({why}): {self._largest} at a time for now")
        return True
