"""Where photos wait for a stage: a plain line, and one whose taker waits for company while company is sure to come."""

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

from daemon.files.companion_names import is_companion
from daemon.photo import Photo

LARGE_BYTES = 64 << 20
"""A photo of more may take seconds to be copied to another file system."""


class PhotoQueue(Protocol):
    """Photos that wait for the threads of one stage."""

    def put(self, photos: list[Photo]) -> None:
        """Queue photos, from any thread."""

    def take(self) -> list[Photo]:
        """Wait for photos; none are the end."""

    def end(self, takers: int) -> None:
        """Let each of so many takers come to the end, once all that waits has been taken."""


class PriorityQueue:
    """A line without waiting: who takes gets what is there, at most `most` photos. What was announced goes first.

    It has no bound of its own, for the pipeline lets only so many photos be on their way at once.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._announced: deque[Photo] = deque()
        self._found: deque[Photo] = deque()
        self._queue: queue.SimpleQueue[bool] = queue.SimpleQueue()  # one turn for each photo; False is the end

    def __len__(self) -> int:
        return len(self._announced) + len(self._found)

    def announced(self) -> int:
        """How many of those that wait were announced."""
        return len(self._announced)

    def put(self, photos: Iterable[Photo]) -> None:
        """Queue photos."""
        for photo in photos:
            (self._announced if photo.announced else self._found).append(photo)
            self._queue.put(True)

    def take(self) -> list[Photo]:
        """Wait for one photo and take all that wait with it, up to the most; an empty list is the end."""
        photos: list[Photo] = []
        while len(photos) < self._most:
            try:
                turn = self._queue.get() if not photos else self._queue.get_nowait()
            except queue.Empty:
                break
            if not turn:
                if photos:
                    self._queue.put(False)  # the end, for the next round
                break
            photos.append(self._next())
        return photos

    def _next(self) -> Photo:
        try:
            return self._announced.popleft()
        except IndexError:
            return self._found.popleft()  # there is one: each turn was put behind its photo

    def end(self, takers: int) -> None:
        """Queue the end behind all photos."""
        for _ in range(takers):
            self._queue.put(False)


ROUND_S = 1.0
"""How long a round of the taker's may take before the next one gets fewer photos."""
LEAST_TOGETHER = 16
"""As many photos it gets all the same: so many are moved to or from a share at once."""


class BatchingQueue:
    """A line for one taker, to whom each round costs much however few take part: commits, syncs, turns of threads.

    While more photos are sure to come soon, it waits until there are `most`, but never longer than `longest_s`. A photo
    that comes alone is taken at once. What was announced goes before what was found: on a slow place, hundreds of those
    take minutes. A large one is taken alone, and once no smaller one waits that it would hold up.

    Args:
        most: photos that are taken together, where a round of so many takes no more than a second.
        more: tells whether others are about to come that are worth waiting for, in the eyes of one that was announced
            or not; asked at each `put`, so it must be quick.
        longest_s: the longest that a photo is kept waiting for others.
    """

    def __init__(self, most: int, more: Callable[[bool], bool], longest_s: float) -> None:
        self._limit = self._most = most
        self._taken, self._taken_s = 0, 0.0
        self._more = more
        self._longest_s = longest_s
        self._photos: list[Photo] = []
        self._urgent = False
        self._changed = threading.Condition(threading.Lock())
        self._idle = False
        self._ended = False

    def put(self, photos: list[Photo]) -> None:
        """Queue photos; the taker is woken only if it has a reason to go now."""
        with self._changed:
            self._photos += photos
            self._urgent = self._urgent or any(photo.announced for photo in photos)
            if self._idle or len(self._photos) >= self._most or not self._more(self._urgent):
                self._changed.notify()

    def take(self) -> list[Photo]:
        """Wait for photos, and for their company; an empty list is the end."""
        with self._changed:
            self._adapt()
            self._idle = True
            while not self._photos and not self._ended:
                self._changed.wait()
            self._idle = False
            self._wait_for_company()
            if self._urgent:
                self._photos.sort(key=lambda photo: not photo.announced)
            taken = [photo for photo in self._photos if not _is_large(photo)][: self._most] or self._photos[:1]
            chosen = set(map(id, taken))
            self._photos = [photo for photo in self._photos if id(photo) not in chosen]
            self._urgent = any(photo.announced for photo in self._photos)
            self._taken, self._taken_s = len(taken), time.monotonic()
        return taken

    def _adapt(self) -> None:
        """Let the next round be as large as fits into a second: on a slow place 128 photos would take minutes."""
        took_s = time.monotonic() - self._taken_s
        if self._taken and took_s > ROUND_S:
            self._most = min(self._limit, max(LEAST_TOGETHER, int(self._taken * ROUND_S / took_s)))
        elif self._taken >= self._most:
            self._most = min(self._limit, 2 * self._most)

    def end(self, _takers: int = 1) -> None:
        """Let the taker come to the end."""
        with self._changed:
            self._ended = True
            self._changed.notify()

    def _wait_for_company(self) -> None:
        end_s = time.monotonic() + self._longest_s
        while len(self._photos) < self._most and not self._ended and self._more(self._urgent):
            left_s = end_s - time.monotonic()
            if left_s <= 0:
                return
            self._changed.wait(left_s)


def _is_large(photo: Photo) -> bool:
    """Tell whether a photo may hold up others for long; a film that travels with one comes when that does."""
    return photo.identity.size > LARGE_BYTES and not is_companion(photo.path)


class Waiting(NamedTuple):
    """What lies in the inbox and is not filed yet, without what is known to stay.

    Attributes:
        photos: how many are known of.
        more: whether there may be more, for no more are looked at while so many wait.
        since_s: when the oldest was noticed, on the monotonic clock; None if none waits.
    """

    photos: int = 0
    more: bool = False
    since_s: float | None = None


class Blocked(NamedTuple):
    """A place that cannot be used.

    Attributes:
        place: a folder of the output, or a path.
        photos: how many wait for it.
        reason: why, as the first of them met it.
    """

    place: str
    photos: int
    reason: str
