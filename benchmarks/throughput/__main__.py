"""How many photos per second does a backlog go through, and how many could it be?

Takers, each a process of its own on the same photos, in turns:

    phototriage sort   default settings; files safely and keeps its ledger
    bound              read, SHA-256, decode and infer on all cores and nothing else: as threads and as processes; the
                       faster one is the bound
    plain loop         Pillow's full decode, ONNX Runtime as it comes, shutil.move
    Keras predict      load_img, model.predict and shutil.copy for each photo, as notebooks do
    Keras dataset      image_dataset_from_directory and model.predict in batches, then shutil.copy

`photos/s` is the rate at work: loading and warming up are not in it, and of the daemon it is the steady rate, between
a tenth and nine tenths of the backlog. `with start` is from the start of the process to its end. Photos come from the
page cache for everyone. The slow ones get fewer photos (`with start` is then reckoned for all of them). Keras takes
part once, and not where TensorFlow is not installed. --chart draws the rates as shares of the bound.
"""

import argparse
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks import machine
from benchmarks.common import add_model, finish, parser, tell, workplace
from benchmarks.photos import MIXES, made
from benchmarks.throughput.chart import chart
from benchmarks.throughput.takers import BOUNDS, DAEMON, DATASET, ONCE, PREDICT, Race, Seen, clear, in_turns, takers
from benchmarks.told import Row, Told

MEANING = (
    "`x` is the daemon's rate over that of the row, in the same rounds: 1 of the bound is all that the machine can."
    " `CPU x` is the same by CPU time, which other programs disturb less; `with start x` with start and end in."
)
MOST_BYTES = 4e9
PROBE = 32


def main() -> None:
    options = parser("throughput", __doc__, "one round of about two seconds of each mix: rough")
    options.add_argument("--mixes", default=",".join(MIXES), help=f"some of {','.join(MIXES)}")
    options.add_argument("--rounds", type=int, default=3, help="of daemon, bound and loop; the median counts")
    options.add_argument("--seconds", type=float, default=5.0, help="that a backlog keeps the bound busy")
    options.add_argument("--photos-each", type=int, default=0, metavar="N", help="in a backlog, instead of --seconds")
    options.add_argument("--photos", type=Path, help="folder of photos to make others from: ../shared/scenes/test")
    options.add_argument("--keras-model", default="random", help="a run's model.keras: MobileNetV2 of random weights")
    options.add_argument("--chart", type=Path, metavar="FILE.svg", help="draw the rates as well")
    add_model(options)
    arguments = options.parse_args()
    if arguments.short:
        arguments.rounds, arguments.seconds = 1, 2.0
    told = measured(arguments)
    if arguments.chart:
        arguments.chart.write_text(chart(told.rows, f"{machine.today()}, {machine.processor()}"), encoding="utf-8")
    finish("throughput", arguments, told)


def measured(arguments: argparse.Namespace) -> Told:
    """All mixes."""
    rows: list[Row] = []
    figure: dict[str, float] = {}
    with workplace(arguments.work, "throughput") as place:
        for mix in arguments.mixes.split(","):
            photos = made(arguments.work, mix, arguments.photos)
            count = arguments.photos_each or _enough(photos, place, arguments)
            race = Race(photos, count, place, arguments.model, arguments.keras_model)
            table = _table(mix, race, _raced(mix, race, arguments.rounds))
            rows += table
            figure[f"{mix} of the bound"] = min(row["x"] for row in table if row["taker"] in BOUNDS)
    return Told(rows, figure, MEANING, _notes(arguments))


def _notes(arguments: argparse.Namespace) -> list[str]:
    known = takers()
    notes = [] if PREDICT in known else ["Keras did not take part: TensorFlow is not installed here."]
    if PREDICT in known and arguments.keras_model == "random":
        notes.append("Keras ran MobileNetV2 with random weights, which is as large and as fast as the trained one.")
    if {"webp", "mix"} & set(arguments.mixes.split(",")) and DATASET in known:
        notes.append("Keras dataset cannot read WebP, and is left out where there is some.")
    return notes


def _enough(photos: Sequence[Path], place: Path, arguments: argparse.Namespace) -> int:
    """So many photos as keep the bound busy for the seconds asked for, within reason."""
    seen = takers()[BOUNDS[0]](Race(photos, PROBE, place, arguments.model))
    clear(place)
    mean_bytes = statistics.mean(path.stat().st_size for path in photos)
    return int(max(PROBE, min(seen.rate * arguments.seconds, MOST_BYTES / mean_bytes)))


def _raced(mix: str, race: Race, rounds: int) -> dict[str, list[Seen]]:
    """What was seen of each taker, round by round; Keras takes part in the first alone."""
    known = takers()
    if mix in ("webp", "mix"):
        known.pop(DATASET, None)
    seen: dict[str, list[Seen]] = {name: [] for name in known}
    for number, order in enumerate(in_turns(list(known), rounds)):
        for name in order:
            if name not in ONCE or number == 0:
                tell(f"{mix}: round {number + 1} of {rounds}, {race.count} photos, {name}")
                seen[name].append(known[name](race))
                clear(race.place)
    return seen


def _table(mix: str, race: Race, seen: dict[str, list[Seen]]) -> list[Row]:
    return [
        {
            "mix": mix,
            "photos": race.count,
            "taker": name,
            "photos/s": _median(each.rate for each in rounds),
            "with start": _median(each.whole_rate for each in rounds),
            "CPU ms a photo": _median(each.cpu_ms for each in rounds),
            "peak MB": round(statistics.median(each.peak_mb for each in rounds)),
            "x": _ratio(seen[DAEMON], rounds, "rate"),
            "CPU x": _ratio(rounds, seen[DAEMON], "cpu_ms"),
            "with start x": _ratio(seen[DAEMON], rounds, "whole_rate"),
        }
        for name, rounds in seen.items()
    ]


def _median(values: Iterable[float]) -> float:
    return round(statistics.median(values), 2)


def _ratio(over: Sequence[Seen], under: Sequence[Seen], what: str) -> float:
    """Of neighbouring rounds; who took part once is compared with that round."""
    ratios: list[float] = [getattr(a, what) / getattr(b, what) for a, b in zip(over, under, strict=False)]
    return round(statistics.median(ratios), 3)


if __name__ == "__main__":
    main()
