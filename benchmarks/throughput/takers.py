"""Who takes part, each as a process of its own on the same photos, and what was seen of it."""

import importlib.util
import itertools
import json
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.photos import backlog
from benchmarks.watched import Watched, phototriage
from contract.session import read_contract, read_model

EVERY_S = 0.02
DAEMON, LOOP, PREDICT, DATASET = "phototriage sort", "plain loop", "Keras predict", "Keras dataset"
BOUNDS = ("bound, threads", "bound, processes")
ONCE = (PREDICT, DATASET)
SHARES = {LOOP: 3, PREDICT: 10, DATASET: 3}
"""So many times fewer photos do for who is slow, or a round would take minutes."""
LEAST = 32


@dataclass(frozen=True)
class Race:
    """What all take part with.

    Attributes:
        photos: they are repeated to make `count`.
        place: a folder on the file system to measure on.
        model: for the daemon, the bound and the plain loop.
        keras_model: a .keras file, or `random`.
    """

    photos: Sequence[Path]
    count: int
    place: Path
    model: Path
    keras_model: str = "random"


@dataclass(frozen=True)
class Seen:
    """One taker's way through the backlog.

    Attributes:
        rate: photos per second, at work.
        cpu_ms: CPU time per photo, at work.
        whole_rate: photos per second, from the start of the process to its end.
        peak_mb: most memory, of the one process.
    """

    rate: float
    cpu_ms: float
    whole_rate: float
    peak_mb: float


def takers() -> dict[str, Callable[[Race], Seen]]:
    """Everyone who can take part here."""
    found: dict[str, Callable[[Race], Seen]] = {
        DAEMON: daemon,
        BOUNDS[0]: lambda race: _peer(race, "bound", "threads", folder=race.place / "in", model=race.model),
        BOUNDS[1]: lambda race: _peer(race, "bound", "processes", folder=race.place / "in", model=race.model),
        LOOP: loop,
    }
    if importlib.util.find_spec("tensorflow"):
        found |= {PREDICT: lambda race: _notebook(race, "predict"), DATASET: lambda race: _notebook(race, "dataset")}
    return found


def daemon(race: Race) -> Seen:
    """`phototriage sort` as a user types it: default settings, a line for each photo, which goes into a file.

    The steady rate is that between a tenth and nine tenths of the photos, by those lines, which are printed once a
    photo lies in its class's folder.
    """
    inbox, output = race.place / "in", race.place / "out"
    backlog(race.photos, race.count, inbox)
    process = Watched(phototriage("sort", inbox, output, race.model), race.place / "process")
    samples, lines = [(process.started_s, 0, 0.0)], 0
    with process.said.open("rb") as said:
        while not process.ended():
            lines += said.read().count(b"\n")
            samples.append((time.monotonic(), lines, process.cpu_so_far_s()))
            time.sleep(EVERY_S)
    whole = race.count / (time.monotonic() - process.started_s)
    _all_filed(output, race.count)
    return Seen(*steady(samples, race.count), whole, process.peak_mb)


def loop(race: Race) -> Seen:
    """The plain loop."""
    paths = {"folder": race.place / "in", "output": race.place / "out", "model": race.model}
    return _peer(race, "loop", share=SHARES[LOOP], **paths)


def steady(samples: Sequence[tuple[float, int, float]], count: int) -> tuple[float, float]:
    """Photos per second, and ms of CPU time per photo, in the middle of the way: in all of it if there are few.

    Photos are filed some at a time. Both ends are taken just after such a round, where nothing is under way that one
    of them would count and the other not.
    """
    first = next(sample for sample in samples if sample[1] >= count / 10)
    last = next(sample for sample in samples if sample[1] >= 0.9 * count)
    if first is last:
        first = samples[0]
    done = last[1] - first[1]
    return done / (last[0] - first[0]), 1e3 * (last[2] - first[2]) / done


def _all_filed(output: Path, count: int) -> None:
    """A photo that the model finds unfamiliar is filed in review."""
    places = (*output.glob("[!_.]*/*"), *output.glob("_review/*"))
    filed = sum(1 for path in places if not path.name.startswith("."))
    if filed != count:
        raise SystemExit(f"the daemon filed {filed} of {count} photos under a class or in review")


def _notebook(race: Race, how: str) -> Seen:
    contract = read_contract(read_model(race.model))
    words = [race.keras_model, ",".join(contract.labels), str(contract.geometry.size_px)]
    share = SHARES[PREDICT if how == "predict" else DATASET]
    return _peer(race, "notebook", how, str(race.place / "in"), str(race.place / "out"), *words, share=share)


def _peer(race: Race, module: str, *words: str, share: int = 1, **paths: Path) -> Seen:
    count = race.count if share == 1 else min(race.count, max(LEAST, race.count // share))
    backlog(race.photos, count, race.place / "in", link=True)
    command = [sys.executable, "-m", f"benchmarks.throughput.{module}", *words, *map(str, paths.values())]
    process = Watched(command, race.place / "process")
    while not process.ended():
        time.sleep(EVERY_S)
    whole_s = time.monotonic() - process.started_s
    told = json.loads(process.said.read_text().splitlines()[-1])
    whole_s += told["seconds"] * (race.count / count - 1)  # as if it had been all
    return Seen(count / told["seconds"], 1e3 * told["cpu_s"] / count, race.count / whole_s, process.peak_mb)


def clear(place: Path) -> None:
    """Remove what a taker left."""
    for path in place.iterdir():
        shutil.rmtree(path)


def in_turns(names: Sequence[str], rounds: int) -> list[list[str]]:
    """The order in each round: forwards, backwards, so that a machine that slows down slows all alike."""
    order = itertools.cycle((list(names), list(reversed(names))))
    return [next(order) for _ in range(rounds)]
