"""A stage of the pipeline: threads that take photos from a line, work on them, and hand them on."""

import threading
from collections.abc import Callable

from daemon.photo import Photo
from daemon.process.heartbeat import Heartbeat
from daemon.queues import PhotoQueue

Work = Callable[[list[Photo]], None]


class Stage:
    """Some threads with one line.

    Args:
        name: of the threads.
        work: does the stage's work on some photos, in place.
        then: takes them on: the next stage, or the end of the way.
        line: where photos wait; it says how many are worked on together.
        threads: how many.
        crashed: called once when `work` or `then` raises, which no photo may cause.
        heartbeat: where the threads note that they are at work.
    """

    def __init__(
        self,
        name: str,
        work: Work,
        then: Work,
        line: PhotoQueue,
        *,
        threads: int,
        crashed: Callable[[BaseException], None],
        heartbeat: Heartbeat,
    ) -> None:
        self._work = work
        self._then = then
        self._line = line
        self._crashed = crashed
        self._heartbeat = heartbeat
        self.put = line.put
        self._threads = [threading.Thread(target=self._run, name=f"{name}-{number}") for number in range(threads)]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Work off what is queued, then end the threads."""
        self._line.end(len(self._threads))
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        try:
            while photos := self._line.take():
                self._heartbeat.begin()
                self._work(photos)
                self._then(photos)
                self._heartbeat.end()
        except BaseException as error:  # noqa: BLE001 - whatever it is, the process must not live on with a dead stage
            self._crashed(error)
