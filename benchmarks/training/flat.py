"""Does memory grow with the number of photos?

A whole `train` (decode, part, head, one epoch, measure) of a tiny network on drawn photos, few and ten times as many,
each in a process of its own. Counted is its private memory that no file backs, at its highest: not the pages of the
memory-mapped cache, which the system takes back when it needs them. Photos are drawn once, and both runs decode anew.
"""

import argparse
import shutil
from pathlib import Path

from benchmarks.told import Told
from benchmarks.training import child
from benchmarks.training.drawn import draw_photos

EVERY_S = 0.02


class Peak:
    """The highest private memory of a process, in bytes."""

    def __init__(self, pid: int) -> None:
        self._status, self.bytes = Path(f"/proc/{pid}/status"), 0

    def look(self) -> None:
        """Once more."""
        try:
            lines = self._status.read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):
            return  # it has ended
        for line in lines:
            if line.startswith("RssAnon:"):
                self.bytes = max(self.bytes, int(line.split()[1]) * 1024)


def add_options(options: argparse.ArgumentParser) -> None:
    options.add_argument("--photos", type=int, nargs=2, default=(10_000, 100_000), metavar="N", help="few and many")


def run(arguments: argparse.Namespace) -> Told:
    few, many = (300, 3000) if arguments.short else arguments.photos
    rows = [_measured(arguments.work, count) for count in (few, many)]
    ratio = rows[1]["peak MB"] / rows[0]["peak MB"]
    each = (rows[1]["peak MB"] - rows[0]["peak MB"]) * 1e6 / (many - few)
    return Told(
        rows,
        {"ratio": round(ratio, 3), "bytes per photo": round(each)},
        f"1 is flat: {many / few:g} times the photos. A few hundred bytes for each further one are its path, hash and"
        " place; megabytes of scatter come from the backend, so that few photos tell nothing of a million.",
    )


def _measured(work: Path, count: int) -> dict[str, float]:
    dataset = draw_photos(work, count)
    place = work / f"memory-{count}"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    options = [*child.settings((*child.TINY, "fine_tune.batch_size=128")), "--output", str(place / "run")]
    process = child.start(place, ["train", str(dataset), *options])
    peak = Peak(process.pid)
    seconds = child.watch(process, peak.look, EVERY_S, place / "log")
    return {"photos": count, "peak MB": round(peak.bytes / 1e6, 1), "seconds": round(seconds, 1)}
