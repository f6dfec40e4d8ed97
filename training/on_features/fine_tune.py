"""Fine-tune the last blocks, and find out whether that answers better than the head alone."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.dataset.prepare import PreparedData
from training.fit.epoch import HEAD as HEAD_STAGE
from training.fit.epoch import Epoch, TrainingState
from training.learnt import Task
from training.measure.metrics import log_loss, softmax
from training.network.features import cached_features
from training.network.trunk import Trunk
from training.network.weights import InitialWeights
from training.on_features.candidate import Candidate, on_both
from training.on_features.choice import HEAD, Choice, choose
from training.on_features.folds import cross_validated
from training.on_features.networks import TailNetworks
from training.on_features.sides import LEAST_PHOTOS, Sides
from training.on_features.tail_training import Lesson, TailTraining
from training.progress import Reporter, Tick
from training.resume.checkpoint import CheckpointHeader, read_state
from training.resume.epoch_writer import EpochWriter
from training.resume.same_training import flat_settings, photos_fingerprint
from training.resume.timer import Timer
from training.resume.unfinished import check_photos


@dataclass(frozen=True)
class FineTuned:
    """What became of fine-tuning.

    Attributes:
        candidate: the fine-tuned network, if it is kept.
        task: weights of its tail.
    """

    choice: Choice
    candidate: Candidate | None = None
    task: Any = None
    interrupted: bool = False
    resumed_after: tuple[int, ...] = ()


@dataclass(frozen=True)
class Base:
    """What fine-tuning starts from.

    Attributes:
        head: the candidate on broad features, which is to be beaten.
        broad: broad features of all samples, float32 [N, F].
    """

    trunk: Trunk
    weights: InitialWeights
    prepared: PreparedData
    sides: Sides
    head: Candidate
    broad: NDArray[np.float32]


def fine_tune(base: Base, task: Task) -> FineTuned:
    """Fine-tune if the recipe asks for it and the photos can tell whether it helps.

    With validation photos, they judge. Without, cross-validation on the training photos judges first, and the network
    is tuned on all of them only if that showed it to help.
    """
    output, recipe, kept, timer, reporter = task.output, task.recipe, task.kept, task.timer, task.reporter
    photos, sides = base.prepared, base.sides
    header = CheckpointHeader(flat_settings(recipe), photos_fingerprint(photos), base.weights.origin)
    state = None
    if kept is not None:
        check_photos(output, kept, header.data)
        header, state = read_state(output)
        header = replace(header, resumed_after=(*header.resumed_after, state.epoch))
        reporter.say(f"Resuming after {f'epoch {state.epoch}' if state.epoch else 'the head stage'}.")
        timer.add(header.seconds)
    writer = EpochWriter(output, None, recipe, header, timer)
    networks = TailNetworks(recipe, sides.classes, base.weights.file)
    training = TailTraining(recipe, networks, base.trunk, sides.classes, reporter)
    if state is None:
        writer.write_epoch(TrainingState.before_stage((_head_epoch(base.head, sides),), []))
    try:
        choice, judged = _judged_before(training, base, timer)
    except KeyboardInterrupt:
        stopped = Choice(HEAD, "Ctrl-C stopped fine-tuning while it was judged: the head on broad features is kept.")
        return FineTuned(stopped, interrupted=True, resumed_after=header.resumed_after)
    if choice is not None and choice.kept == HEAD:
        return FineTuned(choice, resumed_after=header.resumed_after)
    begun = state if state is not None and state.best else None
    with timer.stage("photos"):
        tuned, interrupted = training.train(_lesson(base), writer.write_epoch, begun)
    with timer.stage("features"):
        features = _task_features(training, base, reporter)
    if choice is None or judged is None:
        with timer.stage("head"):
            judged = on_both(features, base.broad, sides, recipe.seed)
        choice = choose(base.head, judged, sides)
    if choice.kept == HEAD:
        return FineTuned(choice, None, None, interrupted, header.resumed_after)
    candidate = replace(judged, parts=(features, base.broad))
    return FineTuned(choice, candidate, tuned.get_weights(), interrupted, header.resumed_after)


def _judged_before(training: TailTraining, base: Base, timer: Timer) -> tuple[Choice | None, Candidate | None]:
    """The choice if it can be made without fine-tuning on all photos."""
    sides, photos = base.sides, len(base.sides.train) + len(base.sides.val)
    if not training.recipe.fine_tune.epochs:
        why = "The recipe asks for no fine-tuning: the head on the broad network's features is kept."
        return Choice(HEAD, why), None
    if photos < LEAST_PHOTOS:
        why = (
            f"Fine-tuning is left out: {photos} photos cannot tell whether it helps ({LEAST_PHOTOS} can). The head on"
            " the broad network's features is kept."
        )
        return Choice(HEAD, why), None
    if len(sides.val):
        return None, None
    with timer.stage("judging"):
        judged = cross_validated(training, base.prepared, base.broad, sides, base.head.c)
    return choose(base.head, judged, sides), judged


def _lesson(base: Base) -> Lesson:
    sides, photos = base.sides, base.prepared
    return Lesson(
        photos.learning,
        photos.samples.take(sides.val),
        base.head.fit(sides, sides.train, 0),
        _head_epoch(base.head, sides),
    )


def _task_features(training: TailTraining, base: Base, reporter: Reporter) -> NDArray[np.float32]:
    def fill(out: NDArray[np.float32], tick: Tick) -> None:
        training.features(base.prepared.samples, out, tick)

    return cached_features(base.prepared.samples, base.broad.shape[1], "", fill, reporter)


def _head_epoch(head: Candidate, sides: Sides) -> Epoch:
    labels = sides.labels[sides.judges]
    loss = log_loss(labels, softmax(head.honest))
    return replace(Epoch.zero(HEAD_STAGE), accuracy=float(head.right(sides).mean()), log_loss=loss, best=True)
