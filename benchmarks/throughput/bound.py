"""The bound: read, SHA-256, `to_input` and inference on all cores, and nothing else.

    python -m benchmarks.throughput.bound threads|processes FOLDER MODEL

No photo is looked for, watched, judged, moved, synced or recorded. Each core calls the network with one photo at a time
and one thread inside, which was measured to be the best use of cores for this work (docs/performance.md). As threads
they share one session and the interpreter's lock; as processes each has its own. Whoever takes the next photo takes it
from one list, so that no core waits for another before the end.
"""

import hashlib
import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.throughput.peer import began, ended, listed
from contract.geometry import to_input
from contract.session import Model, open_model
from daemon.process.cores import usable_cores

WARM_UP = 3


def work(model: Model, path: Path) -> None:
    """All that must be done for one photo's answer."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = os.read(descriptor, os.fstat(descriptor).st_size)
    finally:
        os.close(descriptor)
    hashlib.sha256(data).hexdigest()
    model.run(to_input(data, model.contract.geometry)[np.newaxis])


def threads(paths: Sequence[Path], model: Path, cores: int) -> None:
    """A thread for each core."""
    opened, left = open_model(model, "cpu"), iter(paths)  # `next` on a list's iterator is one step for all threads
    for path in paths[:WARM_UP]:
        work(opened, path)
    team = [threading.Thread(target=_all, args=(opened, left)) for _ in range(cores)]
    start = began()
    for thread in team:
        thread.start()
    for thread in team:
        thread.join()
    ended(start)


def processes(paths: Sequence[Path], model: Path, cores: int) -> None:
    """A process for each core."""
    context = multiprocessing.get_context("spawn")
    place, gate, spent = context.Value("q", 0), context.Barrier(cores + 1), context.Queue()
    team = [context.Process(target=_member, args=(paths, model, place, gate, spent)) for _ in range(cores)]
    for process in team:
        process.start()
    gate.wait()
    start = began()
    gate.wait()
    cpu_s = sum(spent.get() for _ in team)
    ended(start, cpu_s)
    for process in team:
        process.join()


def _all(model: Model, left: Iterator[Path]) -> None:
    for path in left:
        work(model, path)


def _member(paths: Sequence[Path], model: Path, place: Any, gate: Any, spent: Any) -> None:
    opened = open_model(model, "cpu")
    for path in paths[:WARM_UP]:
        work(opened, path)
    gate.wait()
    gate.wait()
    cpu = time.process_time()
    _all(opened, _taken_from(paths, place))
    spent.put(time.process_time() - cpu)


def _taken_from(paths: Sequence[Path], place: Any) -> Iterator[Path]:
    while True:
        with place.get_lock():
            number, place.value = place.value, place.value + 1
        if number >= len(paths):
            return
        yield paths[number]


def main() -> None:
    how, folder, model = sys.argv[1:]
    {"threads": threads, "processes": processes}[how](listed(Path(folder)), Path(model), usable_cores())


if __name__ == "__main__":
    main()
