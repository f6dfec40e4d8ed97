"""Companions: files that belong to a photo (sidecars, films, raw data) and are filed with it.

Which names belong together is said in daemon/files/companion_forms.py. If several photos of a folder fit a companion,
the one of the best rank gets it, also if another one is filed first.
"""

import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from itertools import islice
from pathlib import Path

from daemon.files.companion_forms import answers_to, photo_names
from daemon.files.companion_names import Rank, candidates, rank
from daemon.files.identity import Identity, look_at
from daemon.photo import Photo

LATE_S = 86_400.0
"""How long after its photo a companion may arrive. Cameras restart their numbers, so later it is another photo's."""
MAX_WAITING = 200_000
"""How many companions are remembered; the scan after a restart finds the oldest again."""
LOOKS, NAMED = 20, 5
"""How many companions a status looks at, and names."""
_WORST: Rank = (1 << 30, 0, 0)

Outranked = Callable[[Path, Rank], bool]
"""Tells whether a companion belongs to a photo of a better rank."""


def never_held(_path: Path, _identity: Identity) -> bool:
    """Take every photo of the inbox for one that is to be filed."""
    return False


def photo_is_coming(
    companion: Path, worst: Rank = _WORST, is_held: Callable[[Path, Identity], bool] = never_held
) -> bool:
    """Tell whether a photo lies beside a companion, which belongs to it and is to be filed soon or later.

    Args:
        companion: its path.
        worst: photos that fit less well do not count.
        is_held: tells whether a photo was filed or taken back before, and stays in the inbox.
    """
    for fits, name in candidates(companion.name):
        if fits > worst:
            return False
        # Not Path.exists: it raises for a name that becomes too long, and in a folder that lost its permissions.
        path = companion.parent / name
        if (found := look_at(path)) is not None and not is_held(path, found):
            return True
    return False


def lies_beside(companion: Path, fits: Rank) -> bool:
    """Tell whether a photo that fits better lies beside a companion."""
    return photo_is_coming(companion, (*fits[:2], fits[2] - 1))


class Companions:
    """Remembers the companions that wait in the inbox for their photo, by the names that they ask for.

    Args:
        is_outranked: tells whether a companion belongs to another photo than the one that asks for it.
    """

    def __init__(self, is_outranked: Outranked = lies_beside) -> None:
        self._is_outranked = is_outranked
        self._waiting: OrderedDict[Path, Photo] = OrderedDict()
        self._asking: dict[str, tuple[Path, ...]] = {}
        self._lock = threading.Lock()

    def lonely(self) -> tuple[int, list[Path]]:
        """Return how many companions wait, and the first of them; another thread may call this."""
        with self._lock:
            oldest = list(islice(self._waiting.values(), LOOKS))
        there = []
        for part in oldest:  # on a share a look may hang
            if part.found.on_share or look_at(part.path) is not None:
                there.append(part.path)
            elif self._waiting.get(part.path) is part:
                self.remove(part)  # its owner took it away
        return len(self._waiting), there[:NAMED]

    def add(self, companion: Photo) -> None:
        """Add a companion."""
        with self._lock:
            self._waiting[companion.path] = companion
            for key in _keys(companion.path):
                others = (path for path in self._asking.get(key, ()) if path != companion.path)
                self._asking[key] = (*others, companion.path)
        if len(self._waiting) > MAX_WAITING:
            self.remove(next(iter(self._waiting.values())))

    def remove(self, companion: Photo) -> None:
        """Forget a companion."""
        with self._lock:
            if self._waiting.pop(companion.path, None) is None:
                return
            for key in _keys(companion.path):
                others = tuple(path for path in self._asking.pop(key) if path != companion.path)
                if others:
                    self._asking[key] = others

    def claim(self, photo: Path) -> list[Photo]:
        """Return and forget the companions of a photo; the scan finds those again that changed meanwhile."""
        if not self._waiting:
            return []
        folder, name = os.path.split(photo)
        with self._lock:
            asking = {path for one in answers_to(name) for path in self._asking.get(f"{folder}/{one}", ())}
            found = [self._waiting[path] for path in sorted(asking)]
        parts = [part for part in found if self._belongs(part.path, photo)]
        for part in parts:
            self.remove(part)
        return [part for part in parts if look_at(part.path) == part.found.identity]

    def _belongs(self, companion: Path, photo: Path) -> bool:
        fits = rank(companion.name, photo.name)
        return fits is not None and not self._is_outranked(companion, fits)


def _keys(companion: Path) -> list[str]:
    folder, name = os.path.split(companion)
    return [f"{folder}/{one}" for one in photo_names(name)]
