"""A training from start to end: find, decode and split the photos, train, calibrate, test, write the manifest.

A killed training resumes after its last epoch, from the checkpoint in its run folder.
"""

import errno
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from common.packages import keras_backend
from training.check.known import known_findings
from training.dataset.prepare import Describe, prepare
from training.dataset.samples import FEW, Samples
from training.errors import TrainingError
from training.estimate import Counts, guessed, planned, planned_on_features, sentence
from training.extras import write_extras
from training.learnt import Learnt, Task
from training.measure.metrics import Metrics
from training.measure.predictions import write_predictions
from training.measure.results import run_manifest
from training.network.device import describe_device, memory_errors, repeats, start_keras, uses_tensorflow
from training.progress import ProgressAlone, Reporter, duration
from training.recipe.pseudo import check_unlabelled
from training.recipe.recipe import Recipe
from training.resume.epoch_writer import finish
from training.resume.timer import Timer
from training.resume.unfinished import find_unfinished, output_lock, remove_leftovers
from training.run import CHECKPOINT, PREDICTIONS, write_manifest


@dataclass(frozen=True)
class TrainingResult:
    """Result of a training: metrics of the validation photos, and of the test photos if there are any."""

    output: Path
    validation: Metrics
    test: Metrics | None
    seconds: float


def train_run(
    dataset: Path | None,
    output: Path,
    recipe: Recipe,
    test: Path | None,
    reporter: Reporter,
    restart: bool = False,
    told: bool = False,
    groups: Path | None = None,
    labels: Path | None = None,
    unlabelled: Path | None = None,
) -> TrainingResult:
    """Train a classifier on folders of photos and write a run folder.

    Args:
        dataset: folders of labelled photos; None where `labels` are all there is.
        output: a folder that is new, empty, or holds an unfinished run of this recipe and these photos. An unfinished
            run resumes after its last epoch.
        test: photos to measure at the end; they have no influence on the training.
        restart: start an unfinished run from the beginning.
        told: say nothing of the photos, because a grid has said it before its cells.
        groups: CSV file of photos that stay on one side of a split.
        labels: what people said of photos, which join those of the dataset.
        unlabelled: folder of photos without labels, for a recipe with pseudo-labels.

    Raises:
        PhototriageError: the dataset, the output or the weights cannot be used, or training fails. Decoded photos stay
            in the cache, and the epochs done so far stay in the output folder.
    """
    check_unlabelled(recipe.pseudo_labels, unlabelled, keras_backend())
    begun = find_unfinished(output, dataset, recipe, restart) is not None
    timer = Timer()
    reporter.say(f"Training runs on {start_keras(one_thread=recipe.on_features)}.")
    if not repeats():
        reporter.say("Two runs of this command may differ in the last digits: gradients are summed in several threads.")
    for line in other_way(recipe):
        reporter.say(line)
    about = ProgressAlone(reporter.console) if told else reporter
    with timer.stage("data"):
        describe = described_by(recipe, reporter, timer)
        if describe is not None and not begun:
            describe = _after_the_time(describe, recipe, reporter)
        prepared = prepare(dataset, test, recipe, about, hold_out_from(recipe), describe, groups, labels, unlabelled)
    try:
        with output_lock(output):
            header = find_unfinished(
                output, dataset, recipe, restart
            )  # again: another training may have ended there meanwhile
            return _train(Task(prepared, output, recipe, header, timer, reporter))
    except memory_errors() as error:
        raise TrainingError(_memory_sentence(output)) from error
    except OSError as error:
        raise TrainingError(_error_sentence(error, output)) from error


def hold_out_from(recipe: Recipe) -> int:
    """Number of photos from which some are held out for validation, where the dataset has no folder for that."""
    return FEW if _on_features(recipe) else 0


def other_way(recipe: Recipe) -> Iterator[str]:
    """Say that a recipe on features goes another way because TensorFlow is not the backend of Keras."""
    if recipe.on_features and not uses_tensorflow():
        yield (
            f"This recipe trains on features, which takes TensorFlow, but Keras runs on {keras_backend()}. So photos go"
            " through the whole network instead, some are held out however few there are, and the best epoch on them is"
            " kept. Set KERAS_BACKEND=tensorflow for the usual way."
        )


def described_by(recipe: Recipe, reporter: Reporter, timer: Timer) -> Describe | None:
    """What gives the broad features of photos before they are split; None if the recipe does not learn from them."""
    if not _on_features(recipe):
        return None

    return partial(_described, recipe, reporter, timer)


def _described(recipe: Recipe, reporter: Reporter, timer: Timer, samples: Samples) -> NDArray[np.float32]:
    start_keras(one_thread=True)  # quietly: a grid has not started it, and the next import does
    from training.on_features.describe import described

    with timer.stage("features"):
        return described(samples, recipe, reporter)


def _on_features(recipe: Recipe) -> bool:
    return recipe.on_features and uses_tensorflow()


def _train(task: Task) -> TrainingResult:
    import keras

    prepared, output, recipe, timer, reporter = task.prepared, task.output, task.recipe, task.timer, task.reporter
    keras.utils.set_random_seed(recipe.seed)
    remove_leftovers(output, everything=task.kept is None)
    if task.kept is None and not _on_features(recipe):
        reporter.say(_time_needed(Counter(photo.split for photo in prepared.samples.photos), recipe))
    learnt = _way(recipe)(task)
    measured = learnt.measured
    with timer.stage("measure"):
        write_predictions(output / PREDICTIONS, measured.predictions, prepared.dataset.root, prepared.dataset.labels)
        write_extras(output, prepared, measured, recipe, reporter)
    findings = known_findings(prepared.dataset, prepared.found)
    manifest = run_manifest(prepared, recipe, measured) | {
        "data_findings": findings.with_suspect_labels(measured.predictions, prepared.dataset).to_dict(),
        "weights": dict(learnt.origin),
        "device": describe_device(),
        "repeatable": repeats(),
        "seconds": timer.seconds,
        "interrupted": learnt.interrupted,
        "resumed_after": list(learnt.resumed_after),
        **learnt.facts,
    }
    write_manifest(output, manifest)
    finish(output)
    return TrainingResult(output, measured.validation, measured.test, sum(timer.seconds.values()))


def _after_the_time(describe: Describe, recipe: Recipe, reporter: Reporter) -> Describe:
    """Say how long the training will take, then describe: that alone takes minutes where there are many photos."""
    said: list[str] = []  # photos without labels are described, too, later

    def told(samples: Samples) -> NDArray[np.float32]:
        if not said:
            said.append(_time_needed(_expected_splits(samples, recipe), recipe))
            reporter.say(said[0])
        return describe(samples)

    return told


def _expected_splits(samples: Samples, recipe: Recipe) -> Counter[str]:
    """About how many photos each split will have."""
    splits = Counter(photo.split or "train" for photo in samples.photos)
    if not splits["val"] and splits["train"] >= hold_out_from(recipe):
        splits["val"] = round(recipe.validation * splits["train"])
        splits["train"] -= splits["val"]
    return splits


def _time_needed(splits: Counter[str], recipe: Recipe) -> str:
    """The expected time in words, by the number of photos of each split."""
    counts = Counts(splits["train"], splits["val"], splits["test"])
    cores = len(os.sched_getaffinity(0))
    if _on_features(recipe):
        return sentence(planned_on_features(recipe, counts, guessed(recipe, cores)))
    early = recipe.head.patience or recipe.fine_tune.patience
    return sentence(planned(recipe, counts, guessed(recipe, cores)), at_most=early > 0)


def _way(recipe: Recipe) -> Callable[[Task], Learnt]:
    if _on_features(recipe):
        from training.on_features.train import train_on_features

        return train_on_features
    from training.on_photos import train_network

    return train_network


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
