"""The way from photos to a network by photos: the head, then the network itself, learn epoch by epoch.

Classic recipes go this way, with any backbone, and on any backend of Keras.
"""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from training.dataset.prepare import PreparedData
from training.fit.epoch import HEAD, TrainingState
from training.fit.regression import choose_c, fit_head
from training.fit.stage import Stage, remaining_stages
from training.learnt import Learnt, Task
from training.measure.results import measure_run
from training.network.weights import features_origin, initial_weights
from training.progress import Reporter
from training.recipe.recipe import Recipe
from training.resume.checkpoint import CheckpointHeader, read_state
from training.resume.epoch_writer import EpochWriter
from training.resume.same_training import flat_settings, photos_fingerprint
from training.resume.timer import Timer
from training.resume.unfinished import check_photos

if TYPE_CHECKING:
    import keras

    from training.fit.finetune import Lessons


def train_network(task: Task) -> Learnt:
    """Train a network; the best epoch on the validation photos is kept.

    Raises:
        TrainingError: the training diverged.
    """
    prepared, output, recipe, timer, reporter = task.prepared, task.output, task.recipe, task.timer, task.reporter
    state = None
    if task.kept is None:
        model, header = _start(prepared, recipe, timer, reporter)
    else:
        model, header, state = _resume(prepared, output, recipe, task.kept, reporter)
        timer.add(header.seconds)
    writer = EpochWriter(output, model, recipe, header, timer)
    with timer.stage("photos"):
        interrupted = _train_on_photos(model, prepared, recipe, writer, reporter, state)
    with timer.stage("measure"):
        reporter.say("Calibrating on the validation photos.")
        measured = measure_run(model, prepared, recipe, reporter)
    return Learnt(measured, header.origin, interrupted, header.resumed_after)


def _start(
    prepared: PreparedData, recipe: Recipe, timer: Timer, reporter: Reporter
) -> "tuple[keras.Model, CheckpointHeader]":
    """Start a run: the network with a trained head, and the header of its checkpoints."""
    from training.network.network import build

    weights = initial_weights(recipe, reporter.say)
    origin = weights.origin if weights else {"name": "none"}
    model = build(recipe, len(prepared.dataset.labels), weights.file if weights else None)
    if recipe.head.on == "features" and recipe.head.epochs:
        with timer.stage("head"):
            _fit_head(model, prepared, recipe, origin.get("sha256", ""), reporter)
    return model, CheckpointHeader(flat_settings(recipe), photos_fingerprint(prepared), origin)


def _resume(
    prepared: PreparedData, output: Path, recipe: Recipe, kept: CheckpointHeader, reporter: Reporter
) -> "tuple[keras.Model, CheckpointHeader, TrainingState]":
    """Resume a run: the network and its state. The initial weights are not needed any more."""
    from training.network.network import build

    check_photos(output, kept, photos_fingerprint(prepared))
    header, state = read_state(output)
    reporter.say(f"Resuming after {_progress_in_words(state, recipe)}.")
    model = build(recipe, len(prepared.dataset.labels), None)
    return model, replace(header, resumed_after=(*header.resumed_after, state.epoch)), state


def _progress_in_words(state: TrainingState, recipe: Recipe) -> str:
    """The last completed step of an unfinished run, in words."""
    stages = remaining_stages(recipe, state.epochs)
    if state.epoch:
        return f"epoch {state.epoch} of {stages[0].last(state.epochs)}"
    return "the head stage" if state.epochs[0].stage == HEAD else "the start"


def _fit_head(
    model: "keras.Model", prepared: PreparedData, recipe: Recipe, weights_hash: str, reporter: Reporter
) -> None:
    from training.fit.feature_head import train_head
    from training.network.features import features_of

    places = np.flatnonzero([photo.split != "test" for photo in prepared.samples.photos])
    samples = prepared.samples.take(places)
    origin = features_origin(recipe, weights_hash) if weights_hash else ""
    features = features_of(model, samples, origin, reporter)
    val = np.array([photo.split for photo in samples.photos]) == "val"
    sides = np.flatnonzero(~val), np.flatnonzero(val)
    if recipe.network.linear:
        accuracy = _fit_linear(model, features, samples.labels, prepared.groups[places], sides)
    else:
        accuracy = train_head(model, features, samples.labels, sides, recipe)
    reporter.say(f"Head trained on features: validation accuracy {accuracy:.4f}.")


def _fit_linear(
    model: "keras.Model",
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    groups: NDArray[np.int64],
    sides: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> float:
    """Fit the linear layer by regression, and return its accuracy on the validation photos.

    Args:
        groups: number of each photo's group of near copies.
        sides: places of the training photos and of the validation photos.
    """
    train, val = sides
    length = np.float32(np.linalg.norm(features[train], axis=1).mean())
    rows, classes = features[train] / length, int(model.output_shape[-1])
    c = choose_c(rows, labels[train], groups[train], classes)
    head = fit_head(rows, labels[train], classes, c)
    model.get_layer("logits").set_weights([head.kernel / length, head.bias])
    return float((head.logits(features[val] / length).argmax(axis=1) == labels[val]).mean())


def _train_on_photos(
    model: "keras.Model",
    prepared: PreparedData,
    recipe: Recipe,
    writer: EpochWriter,
    reporter: Reporter,
    state: TrainingState | None,
) -> bool:
    from training.fit.finetune import train_on_photos

    interrupted = train_on_photos(model, _lessons(model, prepared, recipe), recipe, writer.write_epoch, reporter, state)
    writer.save_model()  # again: a kill or Ctrl-C may have interrupted the writing of the best network
    return interrupted


def _lessons(model: "keras.Model", prepared: PreparedData, recipe: Recipe) -> "Lessons":
    from training.fit.feed import BatchFeed
    from training.fit.finetune import Lessons
    from training.fit.learner import Learner
    from training.network.features import logits_of
    from training.network.network import build, unfreeze

    classes, train, val = len(prepared.dataset.labels), prepared.learning, prepared.samples.of("val")

    def learner(stage: Stage) -> Learner:
        network = build(recipe, classes, None, recipe.training_px)
        unfreeze(network, stage.settings)
        return Learner(network, stage.settings)

    def feed(stage: Stage) -> BatchFeed:
        size = stage.settings.batch_size
        return BatchFeed(train.pixels, train.rows, train.labels, classes, size, recipe.augmentation, recipe.seed)

    return Lessons(learner, feed, lambda: logits_of(model, val), val.labels)
