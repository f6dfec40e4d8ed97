"""How soon does a second run on the same photos train?

`train` with the default recipe is run twice, with photos, features and nothing else kept in between. Timed is the
second: from the start of the process to its first training step, which is the head's, and to the first step on photos;
there the program is ended. Needs the initial weights; --short needs neither photos nor weights, and has no features to
find, since those of random weights are not kept.
"""

import argparse
import json
import shutil
import time
from pathlib import Path
from typing import Any

from benchmarks.told import Told
from benchmarks.training import child
from benchmarks.training.drawn import draw_photos

STOP = Path(__file__).with_name("first_step.py")


def add_options(options: argparse.ArgumentParser) -> None:
    options.add_argument("dataset", nargs="?", type=Path, help="folders of labelled photos")


def run(arguments: argparse.Namespace) -> Told:
    if arguments.dataset is None and not arguments.short:
        raise SystemExit("Pass a dataset, or --short.")
    work = arguments.work / ("restart-short" if arguments.short else "restart")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    dataset = arguments.dataset or draw_photos(arguments.work, 300)
    extra = child.settings(child.TINY) if arguments.short else []
    rows = [{"run": name, **_first_steps(work, dataset, extra)} for name in ("first", "second")]
    meaning = (
        "Seconds from the start of the process to the first training step of a second run; 5 are allowed. CPU seconds"
        " are what they cost on a machine that does nothing else."
    )
    return Told(rows, {"seconds": rows[1]["first step s"], "CPU seconds": rows[1]["CPU s"]}, meaning)


def _first_steps(work: Path, dataset: Path, extra: list[str]) -> dict[str, Any]:
    shutil.rmtree(work / "run", ignore_errors=True)
    told = work / "steps.json"
    started = time.monotonic()
    process = child.start(work, [str(told), "train", str(dataset), *extra, "--output", str(work / "run")], (str(STOP),))
    child.watch(process, lambda: None, 0.05, work / "log")
    first, photos = json.loads(told.read_text())
    return {
        "first step s": round(first["at"] - started, 2),
        "CPU s": round(first["cpu"], 2),
        "first step on photos s": round(photos["at"] - started, 2),
        "its CPU s": round(photos["cpu"], 2),
    }
