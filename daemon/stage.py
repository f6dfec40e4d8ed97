"""A stage of the pipeline: threads that take photos from a queue, work on them, and pass them on."""

import threading
from collections.abc import Callable

from daemon.photo import Photo
from daemon.process.heartbeat import Heartbeat
from daemon.queues import PhotoQueue

Work = Callable[[list[Photo]], None]


class Stage:
    """Threads with one queue.

    Args:
        name: of the threads.
        work: does the stage's work on some photos, in place.
        then: takes the photos: the next stage, or the end of the pipeline.
        todo: queue of the stage; it decides how many photos are handled together.
        threads: how many.
        crashed: called once if `work` or `then` raises. No photo may cause that.
        heartbeat: records the progress of the threads.
    """

    def __init__(
        self,
        name: str,
        work: Work,
        then: Work,
        todo: PhotoQueue,
        *,
        threads: int,
        crashed: Callable[[BaseException], None],
        heartbeat: Heartbeat,
    ) -> None:
        self._work = work
        self._then = then
        self._todo = todo
        self._crashed = crashed
        self._heartbeat = heartbeat
        self.put = todo.put
        self._threads = [threading.Thread(target=self._run, name=f"{name}-{number}") for number in range(threads)]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Finish what is queued, then end the threads."""
        self._todo.end(len(self._threads))
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        try:
            while photos := self._todo.take():
                self._heartbeat.begin()
                self._work(photos)
                self._then(photos)
                self._heartbeat.end()
        except BaseException as error:  # noqa: BLE001 - the process must not go on with a dead stage
            self._crashed(error)
