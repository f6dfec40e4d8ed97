"""The parts of the daemon report to the monitor, and the monitor makes one status of it.

The parts report what is cheap: an attribute, or one call per batch. What costs more, such as the age of the oldest
waiting photo, the monitor looks up when somebody asks, through `Sources`.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from daemon.intake.troubles import InboxTroubles
from daemon.ledger.since.label_totals import LabelTotals
from daemon.photo import Photo
from daemon.process.clock import Clock
from daemon.process.heartbeat import Heartbeat, bytes_moved, stuck_stage
from daemon.process.log_level import Say, unsaid
from daemon.process.restart import restart_count
from daemon.process.sd_notify import is_supervised
from daemon.queues import Blocked, Waiting
from daemon.status.counters import Counters
from daemon.status.snapshot import StatusSnapshot
from daemon.status.snapshot_parts import (
    BlockedPhotos,
    BlockedPlace,
    HeldFile,
    HeldFiles,
    ModelStatus,
    State,
    WaitingCompanions,
    WaitingPhotos,
)
from daemon.status.strangers import Strangers

NAMED = 5
"""At most this many of the files that are held open are named."""
NAMED_PLACES = 20
"""At most this many of the places that cannot be used are named."""
DRIVER = Path("/proc/driver/nvidia/version")


@dataclass(frozen=True, slots=True)
class Sources:
    """What the monitor asks the pipeline for, when somebody asks the monitor. Any thread may call these functions.

    Attributes:
        waiting: photos that are not filed yet.
        held_open: files that programs hold open for writing, and since when, on the monotonic clock.
        blocked: places that cannot be used.
        paused: why no photo can be filed; empty if photos can.
        troubles: problems with the inbox.
        overflows: how often the kernel dropped events.
        companions: how many companions wait for their photo, and the first of them.
    """

    waiting: Callable[[], Waiting] = Waiting
    held_open: Callable[[], dict[Path, float]] = dict
    blocked: Callable[[], list[Blocked]] = list
    paused: Callable[[], str] = str
    troubles: Callable[[], InboxTroubles] = InboxTroubles
    overflows: Callable[[], int] = int
    companions: Callable[[], tuple[int, list[Path]]] = lambda: (0, [])


class Monitor:
    """How the daemon is. Any thread may report, and any thread may ask.

    Args:
        clock: time.
        moved: tells how many bytes a thread has read and written.
        inbox: its path, for the status.
        output: its path, for the status.
        device: that the settings ask for: auto, cpu or cuda.
        say: takes a sentence for the user.

    Attributes:
        heartbeat: of each stage.
        sources: what the pipeline knows; set once the pipeline is made.
        labels: what people said of filed photos; set after each look, None before the first one.
    """

    def __init__(
        self,
        clock: Clock,
        moved: Callable[[int], int] = bytes_moved,
        *,
        inbox: Path | None = None,
        output: Path | None = None,
        device: str = "auto",
        say: Say = unsaid,
    ) -> None:
        self._clock = clock
        self._moved = moved
        self._began_s = clock.wall_s()
        self._phase = State.STARTING
        self._missing_mount = ""
        self._roots = (str(inbox) if inbox else None, str(output) if output else None)
        self._device = device
        self._model: ModelStatus | None = None
        self._provider = ""
        self.heartbeat: dict[str, Heartbeat] = {}
        self.counters = Counters(clock.monotonic_s())
        self.strangers = Strangers(say)
        self.sources = Sources()
        self.labels: LabelTotals | None = None

    def stage(self, name: str) -> Heartbeat:
        """Return where the threads of a stage note that a call begins or ends."""
        return self.heartbeat.setdefault(name, Heartbeat(self._clock.monotonic_s))

    def enter(self, phase: State) -> None:
        """Note that the process is starting, ready, stopping or stopped from now on."""
        self._phase = phase

    def waits_for_mount(self, why: str) -> bool:
        """Note why the start waits; empty if it does not. Tells whether that is another reason than before."""
        is_new, self._missing_mount = why != self._missing_mount, why
        return is_new

    def serves(self, file: Path, sha256: str, labels: tuple[str, ...], provider: str, note: str) -> None:
        """Note the model that classifies from now on, where it runs, and why not on the GPU."""
        self._model = ModelStatus(str(file), sha256, labels, note)
        self._provider = provider

    def done(self, photos: list[Photo]) -> None:
        """Count finished photos."""
        self.strangers.add(photos)
        self.counters.add(photos, self._clock.monotonic_s(), self._clock.wall_s())

    def trouble(self, sentence: str) -> None:
        """Note the last error."""
        self.counters.trouble(sentence, self._clock.wall_s())

    def stuck(self) -> str:
        """Return which stage is stuck; empty if none is."""
        return stuck_stage(self.heartbeat, self._clock.monotonic_s(), self._moved)

    def state(self) -> tuple[State, str]:
        """Return the state, and why it is not `ready`."""
        stuck = self.stuck()
        if stuck:
            return State.STUCK, stuck
        paused = self._missing_mount or self.sources.paused() or self.sources.troubles().stops
        if self._phase in (State.STARTING, State.READY) and paused:
            return State.PAUSED, paused
        if self._phase is not State.READY:
            return self._phase, ""
        reasons = [*filter(None, [self._why_cpu()]), *_why_blocked(self.sources.blocked())]
        return (State.DEGRADED, "; ".join(reasons)) if reasons else (State.READY, "")

    def snapshot(self) -> StatusSnapshot:
        """Return everything that is known."""
        state, why = self.state()
        now_s = self._clock.monotonic_s()
        counts = self.counters.counts(now_s)
        return StatusSnapshot(
            state=state,
            why=why,
            pid=os.getpid(),
            at_s=round(self._clock.wall_s(), 3),
            began_at_s=round(self._began_s, 3),
            inbox=self._roots[0],
            output=self._roots[1],
            device=self._device if self._model else None,
            provider=self._provider or None,
            model=self._model,
            waiting=_waiting(self.sources.waiting(), now_s),
            held_open=_held_open(self.sources.held_open(), now_s),
            blocked=_blocked(self.sources.blocked()),
            companions=_companions(*self.sources.companions()),
            filed=self.counters.filed(),
            classes=counts.classes,
            outcomes=counts.outcomes,
            reviews=counts.reviews,
            failures=counts.failures,
            known=counts.known,
            rates=counts.rates,
            stages=counts.stages,
            last_filed_at_s=counts.last_filed_at_s,
            last_error=counts.last_error,
            unfamiliar=self.strangers.note,
            notes=self.sources.troubles().notes,
            overflows=self.sources.overflows(),
            starts_anew=restart_count(),
            supervised=is_supervised(),
            memory_bytes=_memory_bytes(),
            cpu_s=round(time.process_time(), 3),
            labels=self.labels,
        )

    def _why_cpu(self) -> str:
        """Return why the model runs on the CPU if a GPU was expected, because its driver exists; else nothing."""
        on_cpu = self._provider == "cpu" and self._device != "cpu"
        return self._model.note if self._model and on_cpu and DRIVER.exists() else ""


def _waiting(waiting: Waiting, now_s: float) -> WaitingPhotos:
    oldest_s = None if waiting.since_s is None else round(max(0.0, now_s - waiting.since_s), 3)
    return WaitingPhotos(waiting.photos, waiting.more, oldest_s)


def _held_open(held_open: dict[Path, float], now_s: float) -> HeldFiles:
    """Return how many files are held open for writing, and those that have been for longest."""
    longest = sorted(held_open.items(), key=lambda one: one[1])[:NAMED]
    named = tuple(HeldFile(str(path), round(max(0.0, now_s - since_s), 3)) for path, since_s in longest)
    return HeldFiles(len(held_open), named)


def _companions(files: int, first: list[Path]) -> WaitingCompanions:
    return WaitingCompanions(files, tuple(map(str, first)))


def _why_blocked(blocked: list[Blocked]) -> list[str]:
    """Return how many photos cannot be filed, and why the first of them cannot."""
    count = sum(one.photos for one in blocked)
    more = f", and {len(blocked) - 1:,} more place{'s' * (len(blocked) > 2)}" if len(blocked) > 1 else ""
    return [f"{count:,} photo{'s' * (count > 1)} cannot be filed now: {blocked[0].reason}{more}"] if count else []


def _blocked(blocked: list[Blocked]) -> BlockedPhotos:
    """Return how many photos wait for places that cannot be used, and the places for which most wait."""
    most = sorted(blocked, key=lambda one: -one.photos)[:NAMED_PLACES]
    return BlockedPhotos(sum(one.photos for one in blocked), tuple(BlockedPlace(*one) for one in most))


def _memory_bytes() -> int:
    """Return the resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
