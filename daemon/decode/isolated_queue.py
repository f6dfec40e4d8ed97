"""Photos that wait to be decoded alone, one at a time: they must not take the room of those that need not wait."""

import threading
from collections.abc import Callable

from daemon.photo import NOT_READ, Photo

MAX_ASIDE = 4096
"""This many wait beside the others; more of them take the others' room, so that memory does not grow with a backlog."""

Take = Callable[[list[Photo]], None]


class IsolatedQueue:
    """Parts the photos that the readers bring; may be used by several threads.

    Args:
        freed: called when photos gave their room to others.
    """

    def __init__(self, freed: Callable[[], None]) -> None:
        self._freed = freed
        self._lock = threading.Lock()
        self._count = 0

    def part(self, then: Take, alone: Take, photos: list[Photo]) -> None:
        """Hand on photos that were read, and hand those over that must be decoded alone."""
        waiting = [photo for photo in photos if photo.read.must_be_isolated]
        photos = [photo for photo in photos if not photo.read.must_be_isolated]
        if waiting:
            for photo in waiting:
                photo.read = NOT_READ  # another model may serve by then
            with self._lock:
                self._count += len(waiting)
            alone(waiting)
            self._freed()
        if photos:
            then(photos)

    def go_on(self, then: Take, photos: list[Photo]) -> None:
        """Hand on photos that were decoded alone, or that a stop leaves in the inbox."""
        with self._lock:
            self._count -= len(photos)
        then(photos)

    def count(self) -> int:
        """Return how many photos wait without taking the others' room."""
        return min(self._count, MAX_ASIDE)
