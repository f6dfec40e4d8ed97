"""A training from end to end, in its order: find, decode, part, head, photos, calibrate, test, manifest.

One that was killed goes on after its last epoch, from the checkpoint in its run folder.
"""

import errno
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from training.check.known import known_findings
from training.dataset.prepare import Prepared, prepare
from training.errors import TrainingError
from training.extras import write_extras
from training.fit.epoch import HEAD, State
from training.fit.stage import stages_left
from training.measure.metrics import Metrics
from training.measure.predictions import write_predictions
from training.measure.results import manifest_of, measure_run
from training.network.device import describe_device, memory_errors, start_keras
from training.network.weights import features_origin, find_weights, sha256_of
from training.progress import Reporter, duration
from training.recipe.recipe import Recipe
from training.resume.checkpoint import Header, read_state
from training.resume.epoch_writer import Keeper
from training.resume.same_training import photos_of, settings_of
from training.resume.timer import Timer
from training.resume.unfinished import check_photos, claimed, clear, find_unfinished
from training.run import CHECKPOINT, PREDICTIONS, write_manifest

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Trained:
    """What a training ended with: the figures of the validation photos, and of test photos where there were any."""

    output: Path
    validation: Metrics
    test: Metrics | None
    seconds: float


def train_run(
    dataset: Path, output: Path, recipe: Recipe, test: Path | None, reporter: Reporter, restart: bool = False
) -> Trained:
    """Train a classifier on folders of photos and write a run folder.

    Args:
        dataset: folders of labelled photos.
        output: a folder that is not there yet, or empty, or holds an unfinished run of this recipe and these photos,
            which is then gone on with after its last epoch.
        test: more photos to report on at the very end; they decide nothing.
        restart: begin an unfinished run anew.

    Raises:
        PhototriageError: one sentence on what was wrong. Decoded photos stay in the cache, and what was done up to the
            last epoch stays in the output folder.
    """
    find_unfinished(output, dataset, recipe, restart)
    timer = Timer()
    with timer.stage("data"):
        prepared = prepare(dataset, test, recipe, reporter)
    reporter.say(f"Training runs on {start_keras()}.")
    try:
        with claimed(output):
            header = find_unfinished(output, dataset, recipe, restart)  # again: another training may have ended there
            return _train(prepared, output, recipe, header, timer, reporter)
    except memory_errors() as error:
        raise TrainingError(_no_memory(output)) from error
    except OSError as error:
        raise TrainingError(_why(error, output)) from error


def _train(
    prepared: Prepared, output: Path, recipe: Recipe, kept: Header | None, timer: Timer, reporter: Reporter
) -> Trained:
    import keras

    keras.utils.set_random_seed(recipe.seed)
    state = None
    clear(output, anew=kept is None)
    if kept is None:
        model, header = _begun(prepared, recipe, timer, reporter)
    else:
        model, header, state = _gone_on(prepared, output, recipe, kept, reporter)
        timer.add(header.seconds)
    keeper = Keeper(output, model, recipe, header, timer)
    with timer.stage("photos"):
        interrupted = _learn(model, prepared, recipe, keeper, reporter, state)
    with timer.stage("measure"):
        reporter.say("Calibrating on the validation photos.")
        measured = measure_run(model, prepared, recipe, reporter)
        write_predictions(output / PREDICTIONS, measured.predictions, prepared.dataset.root, prepared.dataset.labels)
        write_extras(output, prepared, measured, recipe, reporter)
    findings = known_findings(prepared.dataset, prepared.found)
    manifest = manifest_of(prepared, recipe, measured) | {
        "data_findings": findings.and_suspects(measured.predictions, prepared.dataset).to_dict(),
        "weights": dict(header.origin),
        "device": describe_device(),
        "seconds": timer.seconds,
        "interrupted": interrupted,
        "resumed_after": list(header.resumed_after),
    }
    write_manifest(output, manifest)
    keeper.finish()
    return Trained(output, measured.validation, measured.test, sum(timer.seconds.values()))


def _begun(prepared: Prepared, recipe: Recipe, timer: Timer, reporter: Reporter) -> "tuple[keras.Model, Header]":
    """The network with a trained head, and what its checkpoints will say."""
    from training.network.network import build

    origin, file = {"name": "none"}, None
    if recipe.weights != "none":
        file = find_weights(recipe.backbone, reporter.say)
        origin = {"name": "imagenet", "file": file.name, "sha256": sha256_of(file)}
    model = build(recipe, len(prepared.dataset.labels), file)
    if recipe.head.on == "features" and recipe.head.epochs:
        with timer.stage("head"):
            _fit_head(model, prepared, recipe, origin.get("sha256", ""), reporter)
    return model, Header(settings_of(recipe), photos_of(prepared), origin)


def _gone_on(
    prepared: Prepared, output: Path, recipe: Recipe, kept: Header, reporter: Reporter
) -> "tuple[keras.Model, Header, State]":
    """The network and the state of an unfinished run; the initial weights are not needed any more."""
    from training.network.network import build

    check_photos(output, kept, photos_of(prepared))
    header, state = read_state(output)
    reporter.say(f"Going on after {_done(state, recipe)}.")
    model = build(recipe, len(prepared.dataset.labels), None)
    return model, replace(header, resumed_after=(*header.resumed_after, state.epoch)), state


def _done(state: State, recipe: Recipe) -> str:
    """What an unfinished run has behind it, in words."""
    stages = stages_left(recipe, state.epochs)
    if state.epoch:
        return f"epoch {state.epoch} of {stages[0].last(state.epochs)}"
    return "the head stage" if state.epochs[0].stage == HEAD else "its beginning"


def _fit_head(model: "keras.Model", prepared: Prepared, recipe: Recipe, weights_hash: str, reporter: Reporter) -> None:
    from training.fit.feature_head import train_head
    from training.network.features import features_of

    samples = prepared.samples.of("train", "val")
    origin = features_origin(recipe, weights_hash) if weights_hash else ""
    features = features_of(model, samples, origin, reporter)
    val = np.array([photo.split for photo in samples.photos]) == "val"
    sides = np.flatnonzero(~val), np.flatnonzero(val)
    accuracy = train_head(model, features, samples.labels, sides, recipe.head, recipe.seed)
    reporter.say(f"Head trained on features: validation accuracy {accuracy:.4f}.")


def _learn(
    model: "keras.Model",
    prepared: Prepared,
    recipe: Recipe,
    keeper: Keeper,
    reporter: Reporter,
    state: State | None,
) -> bool:
    from training.fit.finetune import train_on_photos
    from training.network.network import build

    def make_learner() -> "keras.Model":
        return build(recipe, len(prepared.dataset.labels), None, recipe.training_px)

    data = (prepared.learning, prepared.samples.of("val"))
    interrupted = train_on_photos(model, make_learner, data, recipe, keeper.keep, reporter, state)
    keeper.save_model()  # once more: a kill or Ctrl-C may have come while the best one was being written
    return interrupted


def _no_memory(output: Path) -> str:
    sentence = (
        "There was not enough memory for a step. Pass a smaller --batch-size (for the head on photos:"
        " --set head.batch_size) or --size-px"
    )
    if not (output / CHECKPOINT).is_file():
        return f"{sentence}."
    return f"{sentence}, with --restart; or free memory: the same command goes on after the last whole epoch."


def _why(error: OSError, output: Path) -> str:
    go_on = "Decoded photos are kept, so that the next run begins where this one trained."
    if (output / CHECKPOINT).is_file():
        go_on = "All epochs up to the last checkpoint are kept: the same command goes on from there."
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"The disk is full ({error.filename or output}). Free space, and train again. {go_on}"
    return f"Training stopped: {error}. {go_on}"


def summary(trained: Trained) -> Iterator[str]:
    """What to tell at the end, line by line."""
    for name, metrics in (("validation", trained.validation), ("test", trained.test)):
        if metrics is not None:
            yield metrics.sentence(f"{name} photos")
    yield f"The run is in {trained.output}, after {duration(trained.seconds)}."
