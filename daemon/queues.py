"""Queues of photos before a stage: one hands out at once, the other gathers a batch while more photos are coming."""

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

from daemon.photo import Photo

LARGE_BYTES = 64 << 20
"""Copying a larger photo to another file system may take seconds."""


class PhotoQueue(Protocol):
    """Photos that wait for the threads of one stage."""

    def put(self, photos: list[Photo]) -> None:
        """Queue photos, from any thread."""

    def take(self) -> list[Photo]:
        """Wait for photos; an empty list is the end."""

    def end(self, takers: int) -> None:
        """End each of `takers` threads once all waiting photos are taken."""


class PriorityQueue:
    """A queue without gathering: `take` returns what is there, up to `most` photos; those the kernel reported go first.

    The queue is unbounded, because the pipeline limits how many photos are in it at once.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._announced: deque[Photo] = deque()
        self._found: deque[Photo] = deque()
        self._queue: queue.SimpleQueue[bool] = queue.SimpleQueue()  # one True for each photo; False is the end

    def __len__(self) -> int:
        return len(self._announced) + len(self._found)

    def announced(self) -> int:
        """Return how many of the waiting photos the kernel reported."""
        return len(self._announced)

    def put(self, photos: Iterable[Photo]) -> None:
        """Queue photos."""
        for photo in photos:
            (self._announced if photo.found.announced else self._found).append(photo)
            self._queue.put(True)

    def take(self) -> list[Photo]:
        """Wait for one photo and take all that are there, up to `most`; an empty list is the end."""
        photos: list[Photo] = []
        while len(photos) < self._most:
            try:
                turn = self._queue.get() if not photos else self._queue.get_nowait()
            except queue.Empty:
                break
            if not turn:
                if photos:
                    self._queue.put(False)  # the end, for the next call
                break
            photos.append(self._next())
        return photos

    def _next(self) -> Photo:
        try:
            return self._announced.popleft()
        except IndexError:
            return self._found.popleft()  # there is one: each True is put after its photo

    def end(self, takers: int) -> None:
        """Queue the end behind all photos."""
        for _ in range(takers):
            self._queue.put(False)


ROUND_S = 1.0
"""If a batch takes longer than this, the next batch is smaller."""
LEAST_TOGETHER = 16
"""Smallest limit of a batch: this many photos are moved to or from a share at once."""


class BatchingQueue:
    """A queue for one thread that pays a fixed price per batch: commits, syncs, thread switches.

    While more photos are sure to come soon, it waits until there are `most`, but never longer than `longest_s`. A
    single photo is taken at once. Photos that the kernel reported go before photos found by scan, because on a slow
    disk hundreds of those take minutes. A large photo is taken alone, once no smaller photo waits behind it.

    Args:
        most: largest batch, as long as such a batch takes no more than a second.
        more: tells whether more photos are sure to come; the argument says whether a waiting photo was reported by the
            kernel. Called at each `put`, so it must be quick.
        longest_s: longest time that a photo waits for others.
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
        """Queue photos; wakes the taker only if it has a reason to take them now."""
        with self._changed:
            self._photos += photos
            self._urgent = self._urgent or any(photo.found.announced for photo in photos)
            if self._idle or len(self._photos) >= self._most or not self._more(self._urgent):
                self._changed.notify()

    def take(self) -> list[Photo]:
        """Wait for photos and gather a batch; an empty list is the end."""
        with self._changed:
            self._adapt()
            self._idle = True
            while not self._photos and not self._ended:
                self._changed.wait()
            self._idle = False
            self._gather()
            if self._urgent:
                self._photos.sort(key=lambda photo: not photo.found.announced)
            # Small photos first: one large copy would hold up a whole batch. If only large ones wait, one is taken.
            taken = [photo for photo in self._photos if not _is_large(photo)][: self._most] or self._photos[:1]
            chosen = set(map(id, taken))
            self._photos = [photo for photo in self._photos if id(photo) not in chosen]
            self._urgent = any(photo.found.announced for photo in self._photos)
            self._taken, self._taken_s = len(taken), time.monotonic()
        return taken

    def _adapt(self) -> None:
        """Size the next batch to about a second: on a slow disk 128 photos would take minutes."""
        took_s = time.monotonic() - self._taken_s
        if self._taken and took_s > ROUND_S:
            self._most = min(self._limit, max(LEAST_TOGETHER, int(self._taken * ROUND_S / took_s)))
        elif self._taken >= self._most:
            self._most = min(self._limit, 2 * self._most)

    def end(self, _takers: int = 1) -> None:
        """End the taker once all waiting photos are taken."""
        with self._changed:
            self._ended = True
            self._changed.notify()

    def _gather(self) -> None:
        end_s = time.monotonic() + self._longest_s
        while len(self._photos) < self._most and not self._ended and self._more(self._urgent):
            left_s = end_s - time.monotonic()
            if left_s <= 0:
                return
            self._changed.wait(left_s)


def _is_large(photo: Photo) -> bool:
    """Tell whether a photo may hold up others for long. A companion (such as a film) goes when its photo goes."""
    return photo.found.identity.size > LARGE_BYTES and not photo.found.is_companion


class Waiting(NamedTuple):
    """Photos in the inbox that are not filed yet, without files that stay there.

    Attributes:
        photos: how many are known.
        more: whether there may be more, because scans stop while many photos wait.
        since_s: when the oldest was noticed, on the monotonic clock; None if no photo waits.
    """

    photos: int = 0
    more: bool = False
    since_s: float | None = None


class Blocked(NamedTuple):
    """A place that cannot be used.

    Attributes:
        place: a folder of the output, or a path.
        photos: how many wait for it.
        reason: why the first of them could not be filed there.
    """

    place: str
    photos: int
    reason: str
