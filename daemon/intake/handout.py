"""Ready photos that wait for room in the pipeline. Photos reported by the kernel go before photos found by scan."""

from collections import deque

from daemon.photo import Photo


class Handout:
    """Both queues. One thread fills and empties them; other threads may read."""

    def __init__(self) -> None:
        self._announced: deque[Photo] = deque()
        self._found: deque[Photo] = deque()

    def __len__(self) -> int:
        return len(self._announced) + len(self._found)

    def announced(self) -> int:
        """Return how many of the photos were reported by the kernel."""
        return len(self._announced)

    def noticed_s(self) -> list[float]:
        """Return when each photo was noticed. Any thread may call this."""
        return [photo.found.noticed_s for photo in (*tuple(self._announced), *tuple(self._found))]

    def add(self, photo: Photo) -> None:
        """Queue a photo."""
        (self._announced if photo.found.announced else self._found).append(photo)

    def has(self, room: int, spare: int) -> bool:
        """Tell whether `take` would return any photo."""
        return bool((self._announced and room + spare > 0) or (self._found and room > 0))

    def take(self, room: int, spare: int) -> list[Photo]:
        """Return up to `room` photos, and up to `spare` more that the kernel reported."""
        photos: list[Photo] = []
        for source, limit in ((self._announced, room + spare), (self._found, room)):
            while source and len(photos) < limit:
                photos.append(source.popleft())
        return photos
