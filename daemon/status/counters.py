"""Counts of finished photos: by outcome, class and reason, with stage times and photos a second.

Each batch is added once, under one lock.
"""

import threading
from bisect import bisect_left
from collections import Counter, deque

from daemon.photo import Outcome, Photo
from daemon.status.snapshot_parts import Counts, LastError, StageTimes

BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper ends of the buckets of a histogram."""
STAGES = ("wait", "read", "decode", "infer", "file", "total")
RATES_S = (60, 600)
"""Rates are averages over this many seconds."""
STEP_S = 5
"""Resolution of the rates."""
MOVED = frozenset({Outcome.FILED, Outcome.REVIEW, Outcome.FAILED, Outcome.DUPLICATE})


class Histogram:
    """How many times fell into each bucket, and their sum."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_S) + 1)
        self.sum_s = 0.0

    def add(self, seconds: float) -> None:
        """Count one time."""
        self.counts[bisect_left(BOUNDS_S, seconds)] += 1
        self.sum_s += seconds

    def times(self) -> StageTimes:
        """Return count, sum, and how many took at most as long as each bound."""
        up_to, counted = {}, 0
        for bound, count in zip((*map(str, BOUNDS_S), "+Inf"), self.counts, strict=True):
            counted += count
            up_to[bound] = counted
        return StageTimes(counted, round(self.sum_s, 6), up_to)


class Counters:
    """Counts since the process began.

    Args:
        now_s: the time, on the monotonic clock.
    """

    def __init__(self, now_s: float) -> None:
        self._began_s = now_s
        self._lock = threading.Lock()
        self._classes: Counter[str] = Counter()
        self._outcomes: Counter[str] = Counter()
        self._reviews: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()
        self._known = 0
        self._stages = {stage: Histogram() for stage in STAGES}
        self._steps: deque[tuple[int, int]] = deque(maxlen=RATES_S[-1] // STEP_S + 1)
        self._last_filed_s = 0.0
        self._last_error: LastError | None = None

    def add(self, photos: list[Photo], now_s: float, wall_s: float) -> None:
        """Count finished photos; companions are counted as companions and not as photos."""
        with self._lock:
            moved = 0
            for photo in photos:
                travelled = len(photo.filing.companions) + bool(photo.filing.follows_row)
                if travelled:
                    self._outcomes["companion"] += travelled
                if photo.filing.follows is None:
                    moved += self._count(photo, wall_s)
            if moved:
                self._step(now_s, moved)

    def trouble(self, sentence: str, wall_s: float) -> None:
        """Remember the last error."""
        self._last_error = LastError(round(wall_s, 3), sentence)

    def counts(self, now_s: float) -> Counts:
        """Return everything that is counted."""
        with self._lock:
            return Counts(
                classes=dict(self._classes),
                outcomes=dict(self._outcomes),
                reviews=dict(self._reviews),
                failures=dict(self._reasons),
                known=self._known,
                rates={f"{window_s}s": round(self._rate(now_s, window_s), 3) for window_s in RATES_S},
                stages={stage: histogram.times() for stage, histogram in self._stages.items()},
                last_filed_at_s=round(self._last_filed_s, 3) or None,
                last_error=self._last_error,
            )

    def filed(self) -> int:
        """Return how many photos were filed under a class."""
        return self._outcomes[Outcome.FILED.value]

    def _count(self, photo: Photo, wall_s: float) -> bool:
        self._outcomes[photo.filing.outcome.value] += 1
        if photo.filing.outcome is Outcome.FILED:
            self._classes[photo.filing.folder] += 1
        elif photo.filing.outcome is Outcome.REVIEW and photo.judgement.review_reason is not None:
            self._reviews[photo.judgement.review_reason.value] += 1
        elif photo.filing.outcome is Outcome.FAILED:
            self._reasons[photo.judgement.fault.reason.value if photo.judgement.fault else "unknown"] += 1
        if photo.filing.outcome in (Outcome.FAILED, Outcome.AGAIN) and photo.filing.reason:
            self.trouble(f"{photo.path.name}: {photo.filing.reason}", wall_s)
        if photo.filing.outcome in (Outcome.FILED, Outcome.REVIEW):
            self._last_filed_s = wall_s
            self._known += bool(photo.judgement.said)
        if photo.filing.outcome not in MOVED:
            return False
        for stage, milliseconds in photo.times_ms.items():
            if stage in self._stages:
                self._stages[stage].add(milliseconds / 1e3)
        return True

    def _step(self, now_s: float, moved: int) -> None:
        step = int(now_s // STEP_S)
        if self._steps and self._steps[-1][0] == step:
            moved += self._steps.pop()[1]
        self._steps.append((step, moved))

    def _rate(self, now_s: float, window_s: int) -> float:
        first = int(now_s // STEP_S) - window_s // STEP_S + 1
        lasted_s = min(now_s - first * STEP_S, max(STEP_S, now_s - self._began_s))
        return sum(moved for step, moved in self._steps if step >= first) / max(1.0, lasted_s)
