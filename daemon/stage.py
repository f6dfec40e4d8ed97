"""A stage of the pipeline: threads that take photos from a queue, work on them, and hand them on."""

import queue
import threading
from collections.abc import Callable

from daemon.photo import Photo
from daemon.vitals.beats import Beats

Work = Callable[[list[Photo]], None]


class Stage:
    """Some threads with one queue.

    The queue has no bound of its own: the pipeline lets only so many photos be on their way at once.

    Args:
        name: of the threads.
        work: does the stage's work on some photos, in place.
        then: takes them on: the next stage, or the end of the way.
        threads: how many.
        most: how many waiting photos one call of `work` takes; it never waits for more.
        crashed: called once when `work` or `then` raises, which no photo may cause.
        beats: where the threads note that they are at work.
    """

    def __init__(
        self,
        name: str,
        work: Work,
        then: Work,
        *,
        threads: int,
        most: int,
        crashed: Callable[[BaseException], None],
        beats: Beats,
    ) -> None:
        self._work = work
        self._then = then
        self._most = most
        self._crashed = crashed
        self._beats = beats
        self._queue: queue.SimpleQueue[Photo | None] = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._run, name=f"{name}-{number}") for number in range(threads)]
        for thread in self._threads:
            thread.start()

    def put(self, photos: list[Photo]) -> None:
        """Queue photos."""
        for photo in photos:
            self._queue.put(photo)

    def close(self) -> None:
        """Work off what is queued, then end the threads."""
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        try:
            while photos := self._take():
                self._beats.begin()
                self._work(photos)
                self._then(photos)
                self._beats.end()
        except BaseException as error:  # noqa: BLE001 - whatever it is, the process must not live on with a dead stage
            self._crashed(error)

    def _take(self) -> list[Photo]:
        """Wait for one photo and take all that wait with it; an empty list is the end."""
        photos: list[Photo] = []
        while len(photos) < self._most:
            try:
                photo = self._queue.get() if not photos else self._queue.get_nowait()
            except queue.Empty:
                break
            if photo is None:
                if photos:
                    self._queue.put(None)  # the end, for the next round
                break
            photos.append(photo)
        return photos
