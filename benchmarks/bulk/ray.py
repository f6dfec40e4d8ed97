"""`bulk run --engine ray` over `--engine local` and over the bound of the cores; and what a second node brings.

All get the same photos from the page cache, in turns, and each run of Ray has a cluster of its own on this machine,
whose start is not measured. A node has two logical CPUs. `photos/s` and `CPU ms a photo` are those at work, of all
processes of the run and of its cluster. For the second node each node is pinned to a core of its own, and so is the
one process that two are held against.
"""

import argparse
import os
import shutil
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.bulk.nodes import TOKEN, RayNodes, pinned
from benchmarks.bulk.runs import plan_of, seen
from benchmarks.common import ROOT, add_model, tell, workplace
from benchmarks.photos import backlog, made
from benchmarks.throughput.takers import BOUNDS, Race, Seen, clear, in_turns, takers
from benchmarks.told import Row, Told

BOUND, LOCAL, RAY = BOUNDS[1], "bulk run, local", "bulk run, ray"
ONE_PLAIN, TWO_PLAIN, ONE_NODE, TWO_NODES = "one process, a core", "two processes", "one node, a core", "two nodes"
MEANING = (
    "Ray over local 0.85 and more over the bound are wanted, by rate; and of what a second process gains, 0.9 by a"
    " second node."
)


def add_options(made: argparse.ArgumentParser) -> None:
    """Add the options of this part."""
    made.add_argument("--photos-each", type=int, default=12000, metavar="N")
    made.add_argument("--rows", type=int, default=250, help="rows of a part")
    made.add_argument("--rounds", type=int, default=3)
    made.add_argument("--photos", type=Path, help="folder of photos to make others from: ../shared/scenes/test")
    add_model(made)


def run(arguments: argparse.Namespace) -> Told:
    """Measure."""
    if arguments.short:
        arguments.photos_each, arguments.rounds, arguments.rows = min(arguments.photos_each, 1500), 1, 50
    first, second, *_ = sorted(os.sched_getaffinity(0))
    ways: dict[str, Callable[[Race], Seen]] = {
        BOUND: takers()[BOUND],
        LOCAL: lambda race: _bulk(race, arguments.rows),
        RAY: lambda race: _ray(race, arguments.rows, [None]),
        ONE_PLAIN: lambda race: _bulk(race, arguments.rows, "--workers", "1", cores={first}),
        TWO_PLAIN: lambda race: _bulk(race, arguments.rows, "--workers", "2", cores={first, second}),
        ONE_NODE: lambda race: _ray(race, arguments.rows, [{first}]),
        TWO_NODES: lambda race: _ray(race, arguments.rows, [{first}, {second}]),
    }
    found: dict[str, list[Seen]] = {name: [] for name in ways}
    with workplace(arguments.work, "bulk") as place:
        race = Race(made(arguments.work, "small", arguments.photos), arguments.photos_each, place, arguments.model)
        for number, order in enumerate(in_turns(list(ways), arguments.rounds)):
            for name in order:
                tell(f"round {number + 1} of {arguments.rounds}: {name}")
                found[name].append(ways[name](race))
                clear(place)
    return Told([_row(name, rounds, arguments) for name, rounds in found.items()], _figures(found), MEANING)


def _bulk(race: Race, rows: int, *options: str, cores: set[int] | None = None) -> Seen:
    with pinned(cores):
        return seen(race, _plan(race, rows), *options)


def _ray(race: Race, rows: int, nodes: Sequence[set[int] | None]) -> Seen:
    plan = _plan(race, rows)
    with _cluster(nodes) as cluster:
        return seen(race, plan, "--engine", "ray", "--address", cluster.address, others=cluster.processes)


@contextmanager
def _cluster(nodes: Sequence[set[int] | None]) -> Iterator[RayNodes]:
    folder, before = Path(tempfile.mkdtemp(prefix="ray")), dict(os.environ)
    os.environ |= TOKEN
    cluster = RayNodes(folder, {**os.environ, "PYTHONPATH": str(ROOT)}, nodes[0])
    try:
        for cores in nodes[1:]:
            cluster.add(cores)
        yield cluster
    finally:
        cluster.close()
        shutil.rmtree(folder, ignore_errors=True)
        for name in TOKEN.keys() - before:
            del os.environ[name]


def _plan(race: Race, rows: int) -> Path:
    backlog(race.photos, race.count, race.place / "in", link=True)
    plan_of(race.place / "in", race.place / "plan", rows)
    return race.place / "plan"


def _figures(found: dict[str, list[Seen]]) -> dict[str, float]:
    def over(a: str, b: str, what: str = "rate") -> float:
        pairs = zip(found[a], found[b], strict=True)
        return statistics.median(float(getattr(one, what) / getattr(other, what)) for one, other in pairs)

    return {
        "ray over local": round(over(RAY, LOCAL), 3),
        "ray over the bound": round(over(RAY, BOUND), 3),
        "local over the bound": round(over(LOCAL, BOUND), 3),
        "ray over local by CPU time": round(over(LOCAL, RAY, "cpu_ms"), 3),
        "a second process gains": round(over(TWO_PLAIN, ONE_PLAIN), 3),
        "a second node gains": round(over(TWO_NODES, ONE_NODE), 3),
        "of what a process gains": round(over(TWO_NODES, ONE_NODE) / over(TWO_PLAIN, ONE_PLAIN), 3),
    }


def _row(name: str, rounds: Sequence[Seen], arguments: argparse.Namespace) -> Row:
    return {
        "taker": name,
        "photos": arguments.photos_each,
        "photos/s": round(statistics.median(one.rate for one in rounds), 2),
        "CPU ms a photo": round(statistics.median(one.cpu_ms for one in rounds), 2),
        "peak MB of a process": round(statistics.median(one.peak_mb for one in rounds)),
        "photos/s with start": round(statistics.median(one.whole_rate for one in rounds), 2),
    }
