"""Batch sizes on CUDA, and their limit while GPU memory is short."""

from contract.batches import CUDA_BATCHES
from daemon.process.clock import Clock
from daemon.process.log_level import Level, Say, unsaid

BUCKETS = tuple(CUDA_BATCHES)
"""Batch sizes on CUDA, rising. The daemon prepares each of them before it reports that it is ready."""
GROW_AFTER_S = (15.0, 30.0, 60.0, 120.0, 240.0)
"""Time until a larger bucket is tried again, after each failure in a row: other programs may free GPU memory."""


class Buckets:
    """Knows the largest bucket to try; used only by the thread that classifies.

    Args:
        clock: time.
        say: reports in one sentence that batches get smaller, or that they have their full size again.
    """

    def __init__(self, clock: Clock | None = None, say: Say = unsaid) -> None:
        self._clock = clock or Clock()
        self._say = say
        self._largest = BUCKETS[-1]
        self._again_s = 0.0
        self._tries = 0

    def largest(self) -> int:
        """Return how many photos the next batch may have. The limit rises once the time to try again has come."""
        if self._largest < BUCKETS[-1] and self._clock.monotonic_s() >= self._again_s:
            self._largest = BUCKETS[BUCKETS.index(self._largest) + 1]
            self._again_s = self._clock.monotonic_s() + GROW_AFTER_S[0]
            if self._largest == BUCKETS[-1]:
                self._say(f"the GPU is given batches of {self._largest} photos again", Level.NOTICE)
        return self._largest

    def fitted(self, size: int) -> None:
        """Record that a bucket fitted."""
        if size == BUCKETS[-1]:
            self._tries = 0

    def shrink(self, tried: int, why: str) -> bool:
        """Record that a bucket did not fit, and why in the library's words; return False if there is no smaller one."""
        # Other programs may hold GPU memory for long, and each try of a larger bucket costs a failed batch. So each
        # failure in a row doubles the time until the next try.
        self._again_s = self._clock.monotonic_s() + GROW_AFTER_S[min(self._tries, len(GROW_AFTER_S) - 1)]
        self._tries += 1
        if tried == BUCKETS[0]:
            self._largest = BUCKETS[0]
            return False
        self._largest = BUCKETS[BUCKETS.index(tried) - 1]
        self._say(f"a batch of {tried} photos does not fit on the GPU ({why}); batches hold {self._largest} for now")
        return True
