"""`bulk run --engine local` over the bound of the cores: read, hash, decode and infer, and nothing else.

Both get the same photos from the page cache, in turns. `photos/s` and `CPU ms a photo` are those at work: of the bound
without its start, of bulk between three and nine tenths of the photos. `with start x` has start and end in.
"""

import argparse
import statistics
from collections.abc import Sequence
from pathlib import Path

from benchmarks.bulk.runs import plan_of, seen
from benchmarks.common import add_model, tell, workplace
from benchmarks.photos import backlog, made
from benchmarks.throughput.takers import BOUNDS, Race, Seen, clear, in_turns, takers
from benchmarks.told import Row, Told

LOCAL = "bulk run, local"
MEANING = (
    "`x` is the rate of bulk over that of the row, in the same rounds: 1 of the bound is all that the cores can. 0.9 is"
    " wanted."
)


def add_options(made: argparse.ArgumentParser) -> None:
    """Add the options of this part."""
    made.add_argument("--mix", default="small", help="kind of photos, as of benchmarks.throughput")
    made.add_argument("--photos-each", type=int, default=6000, metavar="N")
    made.add_argument("--rows", type=int, default=250, help="rows of a part")
    made.add_argument("--rounds", type=int, default=3)
    made.add_argument("--photos", type=Path, help="folder of photos to make others from: ../shared/scenes/test")
    add_model(made)


def run(arguments: argparse.Namespace) -> Told:
    """Measure."""
    if arguments.short:
        arguments.photos_each, arguments.rounds = min(arguments.photos_each, 1000), 1
    found: dict[str, list[Seen]] = {LOCAL: [], BOUNDS[1]: []}
    with workplace(arguments.work, "bulk") as place:
        photos = made(arguments.work, arguments.mix, arguments.photos)
        race = Race(photos, arguments.photos_each, place, arguments.model)
        for number, order in enumerate(in_turns(list(found), arguments.rounds)):
            for name in order:
                tell(f"round {number + 1} of {arguments.rounds}: {name}")
                found[name].append(takers()[name](race) if name in BOUNDS else _local(race, arguments.rows))
                clear(place)
    rows = [_row(name, rounds, found[LOCAL], arguments) for name, rounds in found.items()]
    figure = {"of the bound": rows[1]["x"], "by CPU time": rows[1]["CPU x"]}
    return Told(rows, figure, MEANING)


def _local(race: Race, rows: int) -> Seen:
    backlog(race.photos, race.count, race.place / "in", link=True)
    plan_of(race.place / "in", race.place / "plan", rows)
    return seen(race, race.place / "plan")


def _row(name: str, rounds: Sequence[Seen], bulk: Sequence[Seen], arguments: argparse.Namespace) -> Row:
    def ratio(what: str, *, turned: bool = False) -> float:
        pairs: list[tuple[float, float]] = [
            (getattr(a, what), getattr(b, what)) for a, b in zip(bulk, rounds, strict=True)
        ]
        return round(statistics.median(b / a if turned else a / b for a, b in pairs), 3)

    return {
        "taker": name,
        "photos": arguments.photos_each,
        "photos/s": round(statistics.median(one.rate for one in rounds), 2),
        "CPU ms a photo": round(statistics.median(one.cpu_ms for one in rounds), 2),
        "peak MB of a process": round(statistics.median(one.peak_mb for one in rounds)),
        "x": ratio("rate"),
        "CPU x": ratio("cpu_ms", turned=True),
        "with start x": ratio("whole_rate"),
    }
