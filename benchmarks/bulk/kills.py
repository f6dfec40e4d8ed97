"""`kill -9` of workers and of the driver at random: is every photo judged exactly once, as without any kill?

A run is started again when its driver was killed. When all parts are there, its rows are compared with those of a run
that nobody disturbed, and the next run begins in another folder, until there were as many kills as asked for.
"""

import argparse
import os
import random
import signal
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pyarrow as pa

from benchmarks.bulk.runs import BulkRun, plan_of
from benchmarks.common import add_model, tell, workplace
from benchmarks.photos import backlog, made
from benchmarks.throughput.takers import EVERY_S
from benchmarks.told import Told
from bulk.results.schema import OF_THE_RUN
from bulk.results.store import ResultStore

MEANING = "Missing, twice and other answers must be 0."
WAITS_S = (0.05, 4.0)
"""Between two kills."""
OF_DRIVER = 0.3
"""Share of kills that hit the driver."""
GIVEN_UP = 1
"""Exit code when one part met three kills; the next command judges it."""


def add_options(made: argparse.ArgumentParser) -> None:
    """Add the options of this part."""
    made.add_argument("--kills", type=int, default=50)
    made.add_argument("--photos-each", type=int, default=2000, metavar="N")
    made.add_argument("--rows", type=int, default=100, help="rows of a part")
    made.add_argument("--seed", type=int, default=1)
    made.add_argument("--photos", type=Path, help="folder of photos: ../shared/scenes/test")
    add_model(made)


def run(arguments: argparse.Namespace) -> Told:
    """Kill and count."""
    if arguments.short:
        arguments.kills, arguments.photos_each = 3, 300
    drawn, counts = random.Random(arguments.seed), Counter[str]()
    with workplace(arguments.work, "bulk") as place:
        photos = made(arguments.work, "small", arguments.photos)
        backlog(photos, arguments.photos_each, place / "in", link=True)
        plan = place / "plan"
        plan_of(place / "in", plan, arguments.rows)
        wanted = _undisturbed(plan, place / "undisturbed", arguments.model)
        while counts["worker"] + counts["driver"] < arguments.kills:
            counts["runs"] += 1
            _disturbed(plan, place / f"run-{counts['runs']}", arguments, drawn, counts)
            _compare(_rows(place / f"run-{counts['runs']}"), wanted, counts)
    row = {
        "photos": arguments.photos_each, "parts": -(-arguments.photos_each // arguments.rows), "runs": counts["runs"],
        "kills of workers": counts["worker"], "of the driver": counts["driver"], "commands": counts["commands"],
        "missing": counts["missing"], "twice": counts["twice"], "other answers": counts["other"],
    }  # fmt: skip
    bad = counts["missing"] + counts["twice"] + counts["other"]
    return Told([row], {"photos lost, doubled or changed": bad}, MEANING)


def _undisturbed(plan: Path, place: Path, model: Path) -> pa.Table:
    running = BulkRun(plan, place, model)
    running.watch()
    return _rows(place)


def _disturbed(
    plan: Path, place: Path, arguments: argparse.Namespace, drawn: random.Random, counts: Counter[str]
) -> None:
    running, parts = BulkRun(plan, place, arguments.model), len(list((plan / "parts").iterdir()))
    running.process.codes = (0, GIVEN_UP, -signal.SIGKILL)
    counts["commands"] += 1
    next_s = time.monotonic() + drawn.uniform(*WAITS_S)
    while True:
        if running.process.ended():
            if len(ResultStore(place / "results").done()) == parts:
                return
            running = BulkRun(plan, place, arguments.model)
            running.process.codes = (0, GIVEN_UP, -signal.SIGKILL)
            counts["commands"] += 1
        if time.monotonic() > next_s and counts["worker"] + counts["driver"] < arguments.kills:
            counts[_kill(running, drawn)] += 1
            next_s = time.monotonic() + drawn.uniform(*WAITS_S)
            tell(f"{counts['worker']} workers and {counts['driver']} drivers killed")
        time.sleep(EVERY_S)


def _kill(running: BulkRun, drawn: random.Random) -> str:
    """Kill the driver or one of its workers; returns which, or an empty text if there was none."""
    workers = running.workers()
    if drawn.random() < OF_DRIVER:
        running.process.process.kill()
        return "driver"
    if not workers:
        return "nobody"
    with suppress(ProcessLookupError):
        os.kill(drawn.choice(workers), signal.SIGKILL)
        return "worker"
    return "nobody"


def _rows(place: Path) -> pa.Table:
    store = ResultStore(place / "results")
    return pa.concat_tables(store.read(name) for name in sorted(store.done()))


def _compare(found: pa.Table, wanted: pa.Table, counts: Counter[str]) -> None:
    ids = Counter(found["id"].to_pylist())
    known = set(wanted["id"].to_pylist())
    counts["missing"] += len(known - set(ids))
    counts["twice"] += sum(count - 1 for count in ids.values())
    if not found.drop(OF_THE_RUN).equals(wanted.drop(OF_THE_RUN)):
        same = set(map(str, wanted.drop(OF_THE_RUN).to_pylist()))
        counts["other"] += sum(str(row) not in same for row in found.drop(OF_THE_RUN).to_pylist())
