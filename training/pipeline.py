"""A training from start to end: find, decode and split the photos, train, calibrate, test, write the manifest.

A killed training resumes after its last epoch, from the checkpoint in its run folder.
"""

import errno
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from training.check.known import known_findings
from training.dataset.prepare import PreparedData, prepare
from training.errors import TrainingError
from training.extras import write_extras
from training.fit.epoch import HEAD, TrainingState
from training.fit.stage import remaining_stages
from training.measure.metrics import Metrics
from training.measure.predictions import write_predictions
from training.measure.results import measure_run, run_manifest
from training.network.device import describe_device, memory_errors, start_keras
from training.network.weights import features_origin, initial_weights
from training.progress import Reporter, duration
from training.recipe.recipe import Recipe
from training.resume.checkpoint import CheckpointHeader, read_state
from training.resume.epoch_writer import EpochWriter
from training.resume.same_training import flat_settings, photos_fingerprint
from training.resume.timer import Timer
from training.resume.unfinished import check_photos, find_unfinished, output_lock, remove_leftovers
from training.run import CHECKPOINT, PREDICTIONS, write_manifest

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class TrainingResult:
    """Result of a training: metrics of the validation photos, and of the test photos if there are any."""

    output: Path
    validation: Metrics
    test: Metrics | None
    seconds: float


def train_run(
    dataset: Path, output: Path, recipe: Recipe, test: Path | None, reporter: Reporter, restart: bool = False
) -> TrainingResult:
    """Train a classifier on folders of photos and write a run folder.

    Args:
        dataset: folders of labelled photos.
        output: a folder that is new, empty, or holds an unfinished run of this recipe and these photos. An unfinished
            run resumes after its last epoch.
        test: photos to measure at the end; they have no influence on the training.
        restart: start an unfinished run from the beginning.

    Raises:
        PhototriageError: the dataset, the output or the weights cannot be used, or training fails. Decoded photos stay
            in the cache, and the epochs done so far stay in the output folder.
    """
    find_unfinished(output, dataset, recipe, restart)
    timer = Timer()
    with timer.stage("data"):
        prepared = prepare(dataset, test, recipe, reporter)
    reporter.say(f"Training runs on {start_keras()}.")
    try:
        with output_lock(output):
            header = find_unfinished(
                output, dataset, recipe, restart
            )  # again: another training may have ended there meanwhile
            return _train(prepared, output, recipe, header, timer, reporter)
    except memory_errors() as error:
        raise TrainingError(_memory_sentence(output)) from error
    except OSError as error:
        raise TrainingError(_error_sentence(error, output)) from error


def _train(
    prepared: PreparedData,
    output: Path,
    recipe: Recipe,
    kept: CheckpointHeader | None,
    timer: Timer,
    reporter: Reporter,
) -> TrainingResult:
    import keras

    keras.utils.set_random_seed(recipe.seed)
    state = None
    remove_leftovers(output, everything=kept is None)
    if kept is None:
        model, header = _start(prepared, recipe, timer, reporter)
    else:
        model, header, state = _resume(prepared, output, recipe, kept, reporter)
        timer.add(header.seconds)
    writer = EpochWriter(output, model, recipe, header, timer)
    with timer.stage("photos"):
        interrupted = _train_on_photos(model, prepared, recipe, writer, reporter, state)
    with timer.stage("measure"):
        reporter.say("Calibrating on the validation photos.")
        measured = measure_run(model, prepared, recipe, reporter)
        write_predictions(output / PREDICTIONS, measured.predictions, prepared.dataset.root, prepared.dataset.labels)
        write_extras(output, prepared, measured, recipe, reporter)
    findings = known_findings(prepared.dataset, prepared.found)
    manifest = run_manifest(prepared, recipe, measured) | {
        "data_findings": findings.with_suspect_labels(measured.predictions, prepared.dataset).to_dict(),
        "weights": dict(header.origin),
        "device": describe_device(),
        "seconds": timer.seconds,
        "interrupted": interrupted,
        "resumed_after": list(header.resumed_after),
    }
    write_manifest(output, manifest)
    writer.finish()
    return TrainingResult(output, measured.validation, measured.test, sum(timer.seconds.values()))


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

    samples = prepared.samples.of("train", "val")
    origin = features_origin(recipe, weights_hash) if weights_hash else ""
    features = features_of(model, samples, origin, reporter)
    val = np.array([photo.split for photo in samples.photos]) == "val"
    sides = np.flatnonzero(~val), np.flatnonzero(val)
    accuracy = train_head(model, features, samples.labels, sides, recipe)
    reporter.say(f"Head trained on features: validation accuracy {accuracy:.4f}.")


def _train_on_photos(
    model: "keras.Model",
    prepared: PreparedData,
    recipe: Recipe,
    writer: EpochWriter,
    reporter: Reporter,
    state: TrainingState | None,
) -> bool:
    from training.fit.finetune import train_on_photos
    from training.network.network import build

    def make_learner() -> "keras.Model":
        return build(recipe, len(prepared.dataset.labels), None, recipe.training_px)

    data = (prepared.learning, prepared.samples.of("val"))
    interrupted = train_on_photos(model, make_learner, data, recipe, writer.write_epoch, reporter, state)
    writer.save_model()  # again: a kill or Ctrl-C may have interrupted the writing of the best network
    return interrupted


def _memory_sentence(output: Path) -> str:
    sentence = (
        "A training step needs more memory than is free. Pass a smaller --batch-size (for the head on photos:"
        " --set head.batch_size) or --size-px"
    )
    if not (output / CHECKPOINT).is_file():
        return f"{sentence}."
    return (
        f"{sentence}, together with --restart. Or free memory: the same command resumes after the last complete epoch."
    )


def _error_sentence(error: OSError, output: Path) -> str:
    go_on = "Decoded photos are kept, so the next run need not decode again."
    if (output / CHECKPOINT).is_file():
        go_on = "All epochs up to the last checkpoint are kept. The same command resumes from there."
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"The disk is full ({error.filename or output}). Free space and train again. {go_on}"
    return f"Training stopped: {error}. {go_on}"


def summary(trained: TrainingResult) -> Iterator[str]:
    """The lines to print at the end."""
    for name, metrics in (("validation", trained.validation), ("test", trained.test)):
        if metrics is not None:
            yield metrics.sentence(f"{name} photos")
    yield f"The run is in {trained.output}, after {duration(trained.seconds)}."
