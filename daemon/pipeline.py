"""A photo's way: watch -> settle -> decode -> batch -> infer -> decide -> file -> record. Only this file knows it.

    intake   (this thread)        what has settled in the inbox
    read     (a thread per core)  bytes, hash, pixels; on the CPU the network too, one photo at a time, and the decision
    alone    (one thread)         the same for photos that are decoded in a process of their own, maybe for minutes
    infer    (one thread, CUDA)   all waiting photos, up to the largest bucket, and the decision; never waits for more
    file     (one thread)         intents, moves, syncs, outcomes: once for all waiting photos. In a backlog, which
                                  keeps the readers busy, it gathers photos for a tenth of a second

Companions are not read: they go from the intake to the filer.

Few photos are in the pipeline at once, so memory does not grow with the backlog, and a slow stage holds up the stages
before it. A photo is always either in the inbox or where the filer put it, so a stop only lets these few finish.
"""

import threading
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from common.errors import GpuError
from daemon.classify.buckets import BUCKETS, Buckets
from daemon.classify.judging import Judging
from daemon.classify.loaded_model import LoadedModel
from daemon.decode.decode import decode, decode_alone, decode_here
from daemon.decode.guard import Guard
from daemon.decode.isolated_queue import IsolatedQueue
from daemon.decode.workers import DecodePool
from daemon.filing.filer import Filer
from daemon.intake.blocked import merge_blocked
from daemon.intake.intake import Intake
from daemon.intake.remembered import Remembered
from daemon.models.active import ActiveModel
from daemon.photo import Found, Photo, Read
from daemon.process.clock import Clock
from daemon.queues import BatchingQueue, PhotoQueue, PriorityQueue, Waiting
from daemon.stage import Stage, Work
from daemon.status.monitor import Monitor, Sources
from daemon.words.active import ActiveWords

FILE_TOGETHER = 128
"""Most photos that share one pair of commits and one sync of their folders."""
GATHER_S = 0.1
"""How long a photo of a backlog waits for more photos before it is filed. One batch of the filer costs ten syncs and as
many thread switches, however few photos it holds (docs/performance.md)."""
LOOK_UP_S = 5.0
"""How long the intake may wait before the pipeline checks whether to stop."""


class Pipeline:
    """Runs the stages until `stop`, or once over all photos in the inbox.

    Args:
        intake: where photos come from.
        models: the active model.
        filer: files photos.
        guard: decodes.
        clock: time.
        cores: how many threads read.
        done: called by one thread with photos that have passed the pipeline.
        look: called by one thread between batches, at least every few seconds; must be quick.
        words: what people said of photos.
        monitor: records the state of the daemon.
        buckets: batch sizes on CUDA that are known to fit.
        gpu_lost: called with the error, and with whether the GPU worked before, once this process cannot use the GPU
            any more. Not called during a stop; the error then ends the pipeline.
        decode_pool: child processes that decode for the reading threads, if these do not decode themselves.
        nothing_more: tells at the end of one pass whether nothing more is coming; may wait until the event is set.
    """

    def __init__(
        self,
        intake: Intake,
        models: ActiveModel,
        filer: Filer,
        guard: Guard,
        clock: Clock,
        *,
        cores: int,
        done: Callable[[list[Photo]], None],
        look: Callable[[], None] = lambda: None,
        words: ActiveWords | None = None,
        monitor: Monitor | None = None,
        buckets: Buckets | None = None,
        gpu_lost: Callable[[GpuError, bool], None] = lambda _, __: None,
        decode_pool: DecodePool | None = None,
        nothing_more: Callable[[threading.Event], bool] = lambda _: True,
    ) -> None:
        self._intake, self._filer, self._guard, self._clock, self._cores = intake, filer, guard, clock, cores
        self._models, self._words, self._remembered = models, words or ActiveWords(), Remembered()
        self._done, self._look, self._gpu_lost = done, look, gpu_lost
        self._decode_pool, self._nothing_more = decode_pool, nothing_more
        # Enough to keep the readers busy while one batch is gathered and another one is filed.
        self._room = 4 * cores + (2 * BUCKETS[-1] if models.current.model.provider == "cuda" else 0) + 3 * FILE_TOGETHER
        self._unread = PriorityQueue(most=1)
        self._isolated = IsolatedQueue(freed=intake.wake)
        self._under_way: dict[Path, float] = {}
        self._lock, self._stopping = threading.Lock(), threading.Event()
        self._crash: BaseException | None = None
        self._monitor = monitor or Monitor(clock)
        self._judging = Judging(buckets or Buckets(clock), filer.pause.begin, self._lost)
        filer.heartbeat, intake.looks.heartbeat = self._monitor.stage("file"), self._monitor.stage("look")
        self._monitor.sources = Sources(
            self._waiting, intake.held_open, lambda: merge_blocked(filer.blocked(), intake.blocked()),
            lambda: filer.pause.reason, intake.troubles, lambda: intake.overflows, filer.lonely,
        )  # fmt: skip

    def stop(self) -> None:
        """Stop, from any thread or a signal handler: photos in the pipeline finish, all others stay in the inbox."""
        self._stopping.set()
        self._filer.stop()
        self._guard.stop()
        if self._decode_pool is not None:
            self._decode_pool.stop()
        self._intake.wake()

    def wake(self) -> None:
        """Make the intake return at once; from any thread or a signal handler."""
        self._intake.wake()

    def run(self, *, once: bool = False) -> None:
        """Run until `stop` is called; with `once`, until every photo in the inbox was handled."""
        with ExitStack() as stack:
            stack.callback(self._intake.close)
            if self._decode_pool is not None:
                stack.callback(self._decode_pool.close)
            to_file = BatchingQueue(FILE_TOGETHER, self._has_backlog, GATHER_S)
            file = self._stage(stack, "file", self._filer.file, self._finish, to_file)
            read = self._reading_stages(stack, file)
            heartbeat, through = self._monitor.stage("intake"), self._intake.finished_once
            while not (self._stopping.is_set() or (once and through() and self._nothing_more(self._stopping))):
                heartbeat.begin()
                self._look()
                if self._decode_pool is not None:
                    self._decode_pool.look()
                wait_s = LOOK_UP_S if once else self._filer.pause.left_s(LOOK_UP_S)
                room = self._free(once=once)
                photos = self._intake.ready(room, wait_s, 0 if self._filer.pause.reason else FILE_TOGETHER)
                self._enter(photos)
                read.put([photo for photo in photos if not photo.found.is_companion])
                if companions := [photo for photo in photos if photo.found.is_companion]:
                    self._note_wait(companions)
                    file.put(companions)
            heartbeat.end()
        if self._crash is not None:
            raise self._crash  # the next start completes what was interrupted
        self._filer.flush()

    def _reading_stages(self, stack: ExitStack, file: Stage) -> Stage:
        then = file.put
        if self._models.current.model.provider == "cuda":
            then = self._stage(stack, "infer", self._infer, file.put, PriorityQueue(most=BUCKETS[-1])).put
        on = partial(self._isolated.go_on, then)
        alone = self._stage(stack, "alone", partial(self._read, self._decode_alone), on, PriorityQueue(most=1))
        apart = partial(self._isolated.part, then, alone.put)
        here = partial(self._read, self._decode_here)
        return self._stage(stack, "read", here, apart, self._unread, threads=self._cores)

    def _stage(
        self, stack: ExitStack, name: str, work: Work, then: Work, todo: PhotoQueue, *, threads: int = 1
    ) -> Stage:
        heartbeat = self._monitor.stage(name)
        stage = Stage(name, work, then, todo, threads=threads, crashed=self._crashed, heartbeat=heartbeat)
        stack.callback(stage.close)
        return stage

    def _read(self, decode: Callable[[Found, LoadedModel], Read], photos: list[Photo]) -> None:
        if self._stopping.is_set():
            return  # left in the inbox
        loaded, words = self._models.current, self._words.current
        self._note_wait(photos)
        for photo in photos:
            if not self._remembered.recall(photo, loaded.model.sha256, words):
                photo.read = decode(photo.found, loaded)
                photo.times_ms |= photo.read.times_ms
        if loaded.model.provider != "cuda":
            self._judging.judge(photos, loaded, words)

    def _decode_here(self, found: Found, loaded: LoadedModel) -> Read:
        dated, wall_s, read = self._dated(loaded), self._clock.wall_s(), None
        if self._decode_pool is not None:
            read = self._decode_pool.decode(found, loaded.geometry, wall_s, self._has_backlog, dated=dated)
        return read or decode_here(found, loaded.geometry, wall_s, self._guard, dated=dated)

    def _decode_alone(self, found: Found, loaded: LoadedModel) -> Read:
        return decode_alone(found, loaded.geometry, self._clock.wall_s(), self._guard, dated=self._dated(loaded))

    def _dated(self, loaded: LoadedModel) -> bool:
        return loaded.rules.dated or self._words.current.need_dates

    def _infer(self, photos: list[Photo]) -> None:
        """Classify what was read with the model that serves now."""
        loaded = self._models.current
        for photo in photos:
            if photo.read.pixels is not None and photo.read.geometry != loaded.geometry:  # another model has taken over
                wall_s, dated = self._clock.wall_s(), self._dated(loaded)
                photo.read = decode(photo.found, loaded.geometry, wall_s, self._guard, dated=dated)
        self._judging.judge(photos, loaded, self._words.current)

    def _lost(self, error: GpuError, worked: bool) -> None:
        if not self._stopping.is_set():
            self._gpu_lost(error, worked)

    def _note_wait(self, photos: list[Photo]) -> None:
        for photo in photos:
            photo.times_ms["wait"] = 1e3 * (self._clock.monotonic_s() - photo.found.noticed_s)

    def _finish(self, photos: list[Photo]) -> None:
        now_s = self._clock.monotonic_s()
        for photo in photos:
            photo.times_ms["total"] = 1e3 * (now_s - photo.found.noticed_s)
        self._remembered.keep(photos)
        self._monitor.done(photos)
        self._done(photos)
        self._leave(photos)  # before the note that wakes the intake; without room the intake would sleep again
        self._intake.done(photos)

    def _has_backlog(self, announced: bool = False) -> bool:
        """Tell whether a next photo waits for each reader, so that more photos are sure to follow.

        A photo that the kernel reported waits only for other reported photos, as in a burst, and not for a backlog.
        """
        follow = self._unread.announced() if announced else len(self._unread)
        return follow >= self._cores and not self._stopping.is_set()

    def _free(self, *, once: bool) -> int:
        with self._lock:
            under_way = len(self._under_way)
        if not self._filer.pause.reason:  # in a pause each photo is a probe for all others
            under_way -= self._isolated.count()
        return self._room - under_way if once else self._filer.pause.room(self._room, under_way)

    def _enter(self, photos: list[Photo]) -> None:
        with self._lock:
            self._under_way.update((photo.path, photo.found.noticed_s) for photo in photos)

    def _leave(self, photos: list[Photo]) -> None:
        with self._lock:
            for photo in photos:
                del self._under_way[photo.path]

    def _waiting(self) -> Waiting:
        with self._lock:
            under_way = list(self._under_way.values())
        return self._intake.waiting(under_way)

    def _crashed(self, error: BaseException) -> None:
        self._crash = error
        self.stop()
