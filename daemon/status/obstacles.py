"""What is in the way of photos: said with the first, counted with the others, and summed up when it is over."""

import threading
from collections import Counter

from contract.text import printable
from daemon.files.open_writers import HELD
from daemon.photo import Photo


def is_its_own(photo: Photo) -> bool:
    """Tell whether a photo stays for what is the matter with itself; one on its way to `_failed` has that behind it."""
    return photo.reason == HELD or (photo.fault is not None and not photo.folder)


class Obstacles:
    """Remembers what was said of obstacles that are not a photo's own; any thread may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._of_places: dict[str, str] = {}

    def is_new(self, photo: Photo) -> bool:
        """Tell whether what is in a photo's way has not been said yet; it is counted from then on.

        What blocks one place is said once, whatever is filed elsewhere meanwhile.
        """
        obstacle = photo.reason.replace(printable(photo.path.name), "")
        with self._lock:
            if photo.place:
                before, self._of_places[photo.place] = self._of_places.get(photo.place), obstacle
                return before != obstacle
            self._counts[obstacle] += 1
            return self._counts[obstacle] == 1

    def over(self, photo: Photo) -> list[tuple[str, int]]:
        """Take note of a photo that was filed; returns what is over with it, and how often it was met unsaid."""
        if not self._counts and not self._of_places:
            return []
        with self._lock:
            for place in (photo.folder, str(photo.path)):
                self._of_places.pop(place, None)
            counts, self._counts = self._counts, Counter()
        return [(obstacle, count - 1) for obstacle, count in counts.items() if count > 1]
