"""A training from end to end, in its order: find, decode, part, head, fine-tune, calibrate, test, manifest."""

import csv
import errno
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from contract.geometry import Geometry
from training.data import Prepared, prepare
from training.device import describe_device, memory_errors, start_keras
from training.errors import TrainingError
from training.metrics import Metrics
from training.output import check_output
from training.progress import Reporter, duration
from training.recipe import Recipe
from training.results import manifest_of, measure_run
from training.run import HISTORY, MODEL, PREDICTIONS, RECIPE, write_manifest
from training.table import write_predictions
from training.weights import find_weights, sha256_of

if TYPE_CHECKING:
    import keras

    from training.finetune import Epoch


@dataclass
class Timer:
    """Seconds that each stage of a training took."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time one stage, also when it ends in an error."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = round(time.monotonic() - started, 2)


@dataclass(frozen=True)
class Trained:
    """What a training ended with: the figures of the validation photos, and of test photos where there were any."""

    output: Path
    validation: Metrics
    test: Metrics | None
    seconds: float


def train_run(dataset: Path, output: Path, recipe: Recipe, test: Path | None, reporter: Reporter) -> Trained:
    """Train a classifier on folders of photos and write a run folder.

    Args:
        dataset: folders of labelled photos. output: a folder that is not there yet, or empty.
        test: more photos to report on at the very end; they decide nothing.

    Raises:
        PhototriageError: one sentence on what was wrong. Decoded photos stay in the cache, and the best weights of a
            fine-tuning under way stay in the output folder.
    """
    check_output(output, dataset)
    timer = Timer()
    with timer.stage("data"):
        prepared = prepare(dataset, test, recipe, reporter)
    reporter.say(f"Training runs on {start_keras()}.")
    try:
        return _train(prepared, output, recipe, timer, reporter)
    except memory_errors() as error:
        raise TrainingError(
            "There was not enough memory for a step. Pass a smaller --batch-size or --size-px."
        ) from error
    except OSError as error:
        raise TrainingError(_why(error, output)) from error


def _train(prepared: Prepared, output: Path, recipe: Recipe, timer: Timer, reporter: Reporter) -> Trained:
    model, origin = _network(prepared, recipe)
    with timer.stage("head"):
        _fit_head(model, prepared, recipe, origin.get("sha256", ""), reporter)
    with timer.stage("fine-tune"):
        interrupted = _fine_tune(model, prepared, output, recipe, reporter)
    with timer.stage("measure"):
        reporter.say("Calibrating on the validation photos.")
        measured = measure_run(model, prepared, recipe)
        write_predictions(output / PREDICTIONS, measured.predictions, prepared.dataset.root, prepared.dataset.labels)
    manifest = manifest_of(prepared, recipe, measured) | {
        "weights": origin,
        "device": describe_device(),
        "seconds": timer.seconds,
        "interrupted": interrupted,
    }
    write_manifest(output, manifest)
    return Trained(output, measured.validation, measured.test, sum(timer.seconds.values()))


def _network(prepared: Prepared, recipe: Recipe) -> "tuple[keras.Model, dict[str, str]]":
    """(the network with its initial weights, where they came from)."""
    import keras

    from training.network import build

    keras.utils.set_random_seed(recipe.seed)
    if recipe.weights == "none":
        return build(recipe, len(prepared.dataset.labels), None), {"name": "none"}
    file = find_weights()
    origin = {"name": "imagenet", "file": file.name, "sha256": sha256_of(file)}
    return build(recipe, len(prepared.dataset.labels), file), origin


def _fit_head(model: "keras.Model", prepared: Prepared, recipe: Recipe, weights_hash: str, reporter: Reporter) -> None:
    from training.head import features_of, train_head

    samples = prepared.samples.of("train", "val")
    geometry = Geometry(recipe.input.geometry, recipe.input.size_px)
    origin = f"{weights_hash} {geometry.id} {geometry.size_px}" if weights_hash else ""
    features = features_of(model, samples, origin, reporter)
    sides = np.array([photo.split for photo in samples.photos])
    val = sides == "val"
    weights, accuracy = train_head(
        features,
        samples.labels,
        (np.flatnonzero(~val), np.flatnonzero(val)),
        len(prepared.dataset.labels),
        recipe.head,
        recipe.seed,
    )
    model.get_layer("logits").set_weights(weights)
    reporter.say(f"Head trained on features: validation accuracy {accuracy:.4f}.")


def _fine_tune(model: "keras.Model", prepared: Prepared, output: Path, recipe: Recipe, reporter: Reporter) -> bool:
    from training.finetune import Epoch, fine_tune
    from training.network import build

    output.mkdir(parents=True, exist_ok=True)
    (output / RECIPE).write_text(recipe.to_toml(), encoding="utf-8")
    columns = [item.name for item in fields(Epoch)]
    with (output / HISTORY).open("w", encoding="utf-8", newline="") as file:
        history = csv.DictWriter(file, columns)
        history.writeheader()

        def keep(epoch: "Epoch") -> None:
            """Note the epoch; save the model at each best one, so that a kill costs what came after it, no more."""
            history.writerow(asdict(epoch))
            file.flush()
            if epoch.best:
                _save(model, output)

        learner = build(recipe, len(prepared.dataset.labels), None, recipe.training_px)
        data = (prepared.learning, prepared.samples.of("val"))
        interrupted = fine_tune(model, learner, data, recipe, keep, reporter)
    _save(model, output)  # once more: Ctrl-C may have come while the best one was being written
    return interrupted


def _save(model: "keras.Model", output: Path) -> None:
    part = output / f".{MODEL}.part.keras"
    model.save(part)
    part.replace(output / MODEL)


def _why(error: OSError, output: Path) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        kept = f"; the best weights so far are in {output / MODEL}" if (output / MODEL).is_file() else ""
        return (
            f"The disk is full ({error.filename or output}){kept}. Free space and train again; decoded photos are kept."
        )
    return f"Training stopped: {error}. Decoded photos are kept, so that the next run begins where this one trained."


def summary(trained: Trained) -> Iterator[str]:
    """What to tell at the end, line by line."""
    for name, metrics in (("validation", trained.validation), ("test", trained.test)):
        if metrics is not None:
            yield metrics.sentence(f"{name} photos")
    yield f"The run is in {trained.output}, after {duration(trained.seconds)}."
