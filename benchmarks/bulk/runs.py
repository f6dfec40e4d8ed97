"""Plans of given photos, and `phototriage bulk run` on one of them, watched."""

import json
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from benchmarks.throughput.takers import EVERY_S, Race, Seen
from benchmarks.watched import TICKS, Watched, memory_kb
from bulk.manifest.make import make_plan

STARTED = 0.3
"""Share of the photos after which all workers have opened the model, which the first one does alone."""
Sample = tuple[float, int, float]
"""When, how many photos of whole parts, and CPU time so far in seconds."""


class BulkRun:
    """`phototriage bulk run --json` as a process.

    Attributes:
        process: the driver.
        worker_mb: the most memory that one worker held.
    """

    def __init__(
        self, plan: Path, place: Path, model: Path, *options: str, others: Callable[[], list[int]] = list
    ) -> None:
        words = ["bulk", "run", str(plan), "--model", str(model), "--output", str(place / "results"), "--device", "cpu"]
        self.process = Watched(
            [sys.executable, "-m", "phototriage", *words, "--json", *options], place / f"process-{time.monotonic_ns()}"
        )
        self.worker_mb = 0.0
        self._others = others

    def workers(self) -> list[int]:
        """Return the process ids of the workers."""
        with suppress(OSError):
            children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text(encoding="ascii")
            return [int(pid) for pid in children.split()]
        return []

    def photos(self) -> int:
        """Return the photos of the parts that are published."""
        lines = self.process.said.read_bytes().split(b"\n")[:-1]
        return sum(said["photos"] for said in map(json.loads, lines) if said["event"] == "part")

    def cpu_s(self) -> float:
        """Return the CPU time of driver and workers until now, with those that have ended."""
        taken_s = 0.0
        for pid in (self.process.pid, *self.workers(), *self._others()):
            with suppress(OSError, ValueError):
                fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
                taken_s += sum(map(int, fields[11:15])) / TICKS
                if pid != self.process.pid:
                    self.worker_mb = max(self.worker_mb, memory_kb(pid, "VmHWM") / 1024)
        return taken_s

    def watch(self) -> list[Sample]:
        """Wait until it has ended; returns what was seen meanwhile."""
        samples: list[Sample] = [(self.process.started_s, 0, 0.0)]
        while not self.process.ended():
            photos = self.photos()
            if photos > samples[-1][1]:
                samples.append((time.monotonic(), photos, self.cpu_s()))
            time.sleep(EVERY_S)
        return samples


def plan_of(folder: Path, plan: Path, rows: int) -> None:
    """List a folder into a plan."""
    make_plan([str(folder)], plan, rows)


def seen(race: Race, plan: Path, *options: str, others: Callable[[], list[int]] = list) -> Seen:
    """Return how a run went. Its begin and end are left out, where not all workers have something to do.

    Args:
        race: its photos.
        plan: of them.
        options: of the command.
        others: tells the process ids of what else works for it.
    """
    run = BulkRun(plan, race.place, race.model, *options, others=others)
    samples = run.watch()
    whole = race.count / (time.monotonic() - run.process.started_s)
    check(samples, race.count)
    return Seen(*_middle(samples, race.count), whole, run.worker_mb)


def _middle(samples: Sequence[Sample], count: int) -> tuple[float, float]:
    """Return photos a second, and ms of CPU time a photo, when all workers have started and none has ended."""
    first = next(sample for sample in samples if sample[1] >= STARTED * count)
    last = next(sample for sample in samples if sample[1] >= 0.9 * count)
    done = last[1] - first[1]
    if not done:
        raise SystemExit("too few parts: ask for more photos, or fewer rows a part")
    return done / (last[0] - first[0]), 1e3 * (last[2] - first[2]) / done


def check(samples: Sequence[Sample], count: int) -> None:
    """Every photo must have been judged."""
    if samples[-1][1] != count:
        raise SystemExit(f"{samples[-1][1]} of {count} photos were judged")
