"""Problems that concern many photos: reported with the first photo, counted with the others, summed up at the end."""

import re
import threading
from collections import Counter, OrderedDict
from pathlib import Path

from common.text import printable
from daemon.files.open_writers import HELD
from daemon.photo import Photo


def is_own_problem(photo: Photo) -> bool:
    """Tell whether a photo stays because of itself; on its way to `_failed`, something else is the problem."""
    return photo.filing.reason == HELD or (
        not photo.filing.folder and (photo.found.is_companion or photo.judgement.fault is not None)
    )


_NUMBER = re.compile(r"\d+")
MAX_STAYING = 10_000
"""Files remembered that stay because of themselves; beyond that the oldest may be reported once more."""


class OwnProblems:
    """Remembers why each file stays in the inbox because of itself; any thread may use it.

    A file may change for as long as it stays: a log, or a broken photo that a program appends to twice a second. So a
    problem of a file is known by its kind, because its words may name a size, and by the file's inode number.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[Path, tuple[int, set[str]]] = OrderedDict()

    def is_new(self, photo: Photo) -> bool:
        """Tell whether this problem of this file was not reported yet."""
        kind, inode_now = photo.filing.reason, photo.found.identity.inode
        if photo.judgement.fault is not None and kind != HELD:
            kind = photo.judgement.fault.reason.value
        with self._lock:
            inode, kinds = self._known.pop(photo.path, (0, set[str]()))
            if inode != inode_now:
                kinds = set()
            self._known[photo.path] = inode_now, {*kinds, kind}
            if len(self._known) > MAX_STAYING:
                self._known.popitem(last=False)
        return kind not in kinds

    def resolved(self, photo: Photo) -> None:
        """Note a file that no longer stays: the next one at its path has problems of its own."""
        with self._lock:
            self._known.pop(photo.path, None)


class Obstacles:
    """Remembers which problems were reported; any thread may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._words: dict[str, str] = {}
        self._of_places: dict[str, str] = {}

    def is_new(self, photo: Photo) -> bool:
        """Tell whether the problem of a photo was not reported yet; repetitions are counted.

        A problem of one place is reported once, even if photos are filed elsewhere meanwhile. Another number in its
        words, such as the size of a file that grows, makes no other problem of it.
        """
        obstacle = photo.filing.reason.replace(printable(photo.path.name), "")
        kind = _NUMBER.sub("0", obstacle)
        with self._lock:
            if photo.filing.waits_for:
                before, self._of_places[photo.filing.waits_for] = self._of_places.get(photo.filing.waits_for), kind
                return before != kind
            self._counts[kind] += 1
            self._words.setdefault(kind, obstacle)
            return self._counts[kind] == 1

    def resolved(self, photo: Photo) -> list[tuple[str, int]]:
        """Note a filed photo; returns the problems that ended with it, and how often each was not reported."""
        if not self._counts and not self._of_places:
            return []
        with self._lock:
            for place in (photo.filing.folder, str(photo.path)):
                self._of_places.pop(place, None)
            counts, self._counts = self._counts, Counter()
            words, self._words = self._words, {}
        return [(words[kind], count - 1) for kind, count in counts.items() if count > 1]
