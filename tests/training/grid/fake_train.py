"""Stands in for `phototriage train`: a process that writes a run folder as a training does, without a network.

The recipe's seed decides: 13 fails with a sentence, 14 kills itself; where a pipe HOLD-<seed> stands beside the
grid, it says so and waits there, with a checkpoint in its folder. Every start is noted in a file beside the grid.
"""

import os
import signal
import sys
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import h5py  # type: ignore[import-untyped]
import numpy as np
from rich.console import Console

from training.checkpoint import CHECKPOINT
from training.data import prepare
from training.metrics import measure
from training.progress import Reporter
from training.recipe import Recipe
from training.recipe_file import load_recipe
from training.run import HISTORY, MODEL, PREDICTIONS, write_manifest
from training.table import Predictions, write_predictions

PARAMETERS = 21


def main() -> None:
    """Take the arguments of `phototriage train`."""
    _, command, dataset, *rest = sys.argv
    given = dict(zip(rest[::2], rest[1::2], strict=False))
    if command != "train":
        sys.exit(2)
    test = Path(given["--test"]) if "--test" in given else None
    train(Path(dataset), Path(given["--output"]), load_recipe(Path(given["--recipe"])), test)


def train(dataset: Path, output: Path, recipe: Recipe, test: Path | None) -> None:
    """Write the run folder, but for what the seed says."""
    output.mkdir(parents=True, exist_ok=True)
    going_on = (output / CHECKPOINT).is_file()
    beside = output.parent.parent
    with (beside / "starts.txt").open("a") as starts:
        starts.write(f"{recipe.seed}{' went on' if going_on else ''}\n")
    (output / CHECKPOINT).write_bytes(b"a state")
    hold = beside / f"HOLD-{recipe.seed}"
    if hold.exists():
        print(f"holding {recipe.seed}", flush=True)  # noqa: T201
        hold.read_text()
    if recipe.seed == 13:
        (output / CHECKPOINT).unlink()
        sys.exit("a warning on the way\nphototriage: There was not enough luck. Pass another seed.")
    if recipe.seed == 14:
        os.kill(os.getpid(), signal.SIGKILL)
    finish(dataset, output, recipe, test)


def finish(dataset: Path, output: Path, recipe: Recipe, test: Path | None) -> None:
    """Write what a finished run holds; a higher seed is right more often on validation photos, less on test photos."""
    prepared = prepare(dataset, test, recipe, Reporter(Console(stderr=True, quiet=True)))
    labels = prepared.dataset.labels
    metrics = {}
    for side in ("val", "test"):
        samples = prepared.samples.of(side)
        if samples.photos:
            rng = np.random.default_rng(5)
            sure = recipe.seed if side == "val" else -recipe.seed
            chances = rng.dirichlet(np.ones(len(labels)), len(samples.photos))
            chances[np.arange(len(chances)), samples.labels] += np.exp(sure / 4)
            chances /= chances.sum(axis=1, keepdims=True)
            metrics["validation" if side == "val" else side] = measure(samples.labels, chances, labels).card()
            if side == "val":
                write_predictions(output / PREDICTIONS, Predictions(samples.photos, chances), dataset, labels)
    (output / HISTORY).write_text("epoch,loss,accuracy,log_loss,best\n0,,0.5,1.0,True\n1,0.9,0.7,0.8,True\n")
    write_network(output / MODEL)
    manifest = {
        "labels": list(labels),
        "geometry": {"id": "exif-rgb-stretch-bilinear-1", "size_px": 32},
        "temperature": 1.0,
        "thresholds": dict.fromkeys(labels, 0.5),
        "metrics": metrics,
        "recipe": asdict(recipe),
        "dataset": {"root": str(dataset), "sha256": prepared.data_hash()},
        "seconds": {"data": 1.0, "head": 2.0},
    }
    write_manifest(output, manifest)
    (output / CHECKPOINT).unlink()


def write_network(file: Path) -> None:
    """Write `PARAMETERS` weights, and the state of a random generator, which is none, as Keras does."""
    weights = BytesIO()
    with h5py.File(weights, "w") as tree:
        tree["layers/dense/vars/0"] = np.zeros((6, 3))
        tree["layers/dense/vars/1"] = np.zeros(3)
        tree["layers/dropout/seed_generator/vars/0"] = np.zeros(2)
    with ZipFile(file, "w") as archive:
        archive.writestr("model.weights.h5", weights.getvalue())
