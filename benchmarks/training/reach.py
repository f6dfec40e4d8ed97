"""How long does `default` take to the best validation accuracy that the classic two-phase recipe reaches?

Both train as a user trains, one after the other, from JPEGs to run folder, on the same photos to train on and to check
with, which are parted once. Times are from the start of the process to the end of the epoch: imports, decoding, head
stage and measuring are in them. Needs the initial weights; takes an hour or so, and goes on after a kill: what a
training lost by it is not counted. Start it anew by removing WORK. --short needs neither photos nor weights.
"""

import argparse
import csv
import json
import os
import time
from pathlib import Path
from typing import Any

from benchmarks.told import Told
from benchmarks.training import child
from benchmarks.training.drawn import draw_photos

CLASSIC, OURS = "two-phase", "default"


def add_options(options: argparse.ArgumentParser) -> None:
    options.add_argument("dataset", nargs="?", type=Path, help="folders of labelled photos")
    options.add_argument("--seed", type=int, default=0)


def run(arguments: argparse.Namespace) -> Told:
    if arguments.dataset is None and not arguments.short:
        raise SystemExit("Pass a dataset, or --short.")
    work = arguments.work / ("time-short" if arguments.short else "time")
    dataset = parted(arguments.dataset or draw_photos(arguments.work, 300), work / "photos", arguments.seed)
    extra = child.TINY if arguments.short else ()
    paths = {name: trained(work, dataset, name, arguments.seed, extra) for name in (CLASSIC, OURS)}
    classic = max(paths[CLASSIC], key=lambda epoch: (epoch["accuracy"], -epoch["seconds"]))
    reached = next((epoch for epoch in paths[OURS] if epoch["accuracy"] >= classic["accuracy"]), None)
    rows = [
        _row(f"{CLASSIC}, its best epoch", classic),
        _row(f"{CLASSIC}, to its end", paths[CLASSIC][-1]),
        *([_row(f"{OURS}, as good as that best", reached)] if reached else []),
        _row(f"{OURS}, its best epoch", max(paths[OURS], key=lambda epoch: epoch["accuracy"])),
    ]
    ratio = classic["seconds"] / reached["seconds"] if reached else 0.0
    meaning = f"So many times sooner {OURS} is as good on the validation photos as {CLASSIC} ever is (0: never)."
    return Told(rows, {"ratio": round(ratio, 1)}, meaning)


def _row(what: str, epoch: dict[str, Any]) -> dict[str, Any]:
    return {"what": what, **{name: epoch[name] for name in ("line", "accuracy", "seconds")}}


def parted(root: Path, target: Path, seed: int) -> Path:
    """A dataset of links to the photos of `root`, in train and val: what is a twin depends a little on the size."""
    if target.exists():
        return target
    from rich.console import Console

    from training.dataset.prepare import prepare
    from training.progress import Reporter
    from training.recipe.recipe import Recipe

    target.parent.mkdir(parents=True, exist_ok=True)
    os.environ["XDG_CACHE_HOME"] = str((target.parent / "parting").absolute())  # the trainings decode by themselves
    with (target.parent / "log").open("a") as log:
        recipe = Recipe().with_options({"seed": seed, "fine_tune.scale": 1.0})
        prepared = prepare(root.absolute(), None, recipe, Reporter(Console(file=log)))
    part = target.with_suffix(".part")
    for number, photo in enumerate(prepared.samples.photos):
        folder = part / photo.split / prepared.dataset.labels[photo.label]
        folder.mkdir(parents=True, exist_ok=True)
        link = folder / f"{number:07d}{photo.path.suffix}"
        link.unlink(missing_ok=True)
        link.symlink_to(photo.path)
    return part.rename(target)


def trained(work: Path, dataset: Path, name: str, seed: int, extra: tuple[str, ...]) -> list[dict[str, Any]]:
    """Each line of the run's history with the seconds at which it stood there."""
    place = work / name
    place.mkdir(exist_ok=True)
    clock = Clock(place)
    if not (place / "run" / "run.json").exists():
        options = ["--recipe", name, "--seed", str(seed), *child.settings(extra), "--output", str(place / "run")]
        process = child.start(place, ["train", str(dataset), *options])
        child.watch(process, clock.look, 0.1, place / "log")
    return clock.lines()


class Clock:
    """Notes when each line of a history appears, in a file that outlives a kill."""

    def __init__(self, place: Path) -> None:
        self._history, self._file = place / "run" / "history.csv", place / "clock.json"
        self._seen: list[float] = json.loads(self._file.read_text()) if self._file.exists() else []
        # A training that goes on does so from its last line: the clock too.
        self._started = time.monotonic() - (self._seen[-1] if self._seen else 0.0)

    def look(self) -> None:
        """Once more."""
        now = time.monotonic() - self._started
        count = len(self._table())
        if count > len(self._seen):
            self._seen += [round(now, 2)] * (count - len(self._seen))
            self._file.write_text(json.dumps(self._seen))

    def lines(self) -> list[dict[str, Any]]:
        """The history, with times."""
        self.look()
        table = zip(self._table(), self._seen, strict=True)
        return [
            {"line": number, "accuracy": round(float(line["accuracy"]), 4), "seconds": seconds}
            for number, (line, seconds) in enumerate(table)
        ]

    def _table(self) -> list[dict[str, str]]:
        if not self._history.exists():
            return []
        with self._history.open(newline="") as lines:
            return list(csv.DictReader(lines))
