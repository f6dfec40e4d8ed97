"""Stands in for `phototriage train`: a process that writes a run folder as a training does, without a network.

The recipe's seed decides: 13 fails with a sentence, 14 kills itself; where a pipe HOLD-<seed> stands beside the
grid, it says so and waits there, with a checkpoint in its folder. Every start is noted in a file beside the grid.
"""

import os
import signal
import sys
from pathlib import Path

from rich.console import Console

from tests.training.grid.support import chances, write_cell
from training.dataset.prepare import prepare
from training.measure.predictions import Predictions, write_predictions
from training.progress import Reporter
from training.recipe.recipe import Recipe
from training.recipe.recipe_file import load_recipe
from training.run import CHECKPOINT, PREDICTIONS

Files = tuple[Path | None, Path | None]
"""Of groups, and of labels."""


def main() -> None:
    """Take the arguments of `phototriage train`."""
    _, command, dataset, *rest = sys.argv
    given = dict(zip(rest[::2], rest[1::2], strict=False))
    if command != "train":
        sys.exit(2)
    test = Path(given["--test"]) if "--test" in given else None
    groups, labels = (Path(given[name]) if name in given else None for name in ("--groups", "--labels"))
    train(Path(dataset), Path(given["--output"]), load_recipe(Path(given["--recipe"])), test, (groups, labels))


def train(dataset: Path, output: Path, recipe: Recipe, test: Path | None, files: Files) -> None:
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
    finish(dataset, output, recipe, test, files)


def finish(dataset: Path, output: Path, recipe: Recipe, test: Path | None, files: Files) -> None:
    """Write what a finished run holds; a higher seed is right more often on validation photos, less on test photos."""
    quiet = Reporter(Console(stderr=True, quiet=True))
    prepared = prepare(dataset, test, recipe, quiet, named=files[0], labels=files[1])
    labels = prepared.dataset.labels
    val, tested = prepared.samples.of("val"), prepared.samples.of("test")
    sides = {"validation": chances(val.labels, len(labels), recipe.seed - 4)}
    if tested.photos:
        sides["test"] = chances(tested.labels, len(labels), -recipe.seed)
    predictions = Predictions(val.photos, sides["validation"][1])
    write_predictions(output / PREDICTIONS, predictions, dataset, labels)
    (output / "report.html").write_text("a report")
    groups_hash = prepared.named.sha256 if prepared.named else ""
    write_cell(output, recipe, labels, sides, prepared.data_hash(), groups_hash=groups_hash)
    (output / CHECKPOINT).unlink()
