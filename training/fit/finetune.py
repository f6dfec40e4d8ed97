"""Train the stages on photos one after the other, validate each epoch, and keep the best one."""

import math
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, replace

import keras
import numpy as np
from numpy.typing import NDArray

from training.errors import TrainingError
from training.fit.epoch import BEST, HEAD, START, Epoch, TrainingState
from training.fit.feed import BatchFeed
from training.fit.learner import Learner
from training.fit.loop import StageLoop
from training.fit.stage import Stage, kept_in_words, remaining_stages
from training.measure.metrics import log_loss, softmax
from training.progress import Reporter
from training.recipe.recipe import Monitor, Recipe


@dataclass(frozen=True)
class Lessons:
    """What a training on photos learns from, and how it is judged.

    Attributes:
        learner: gives what learns in a stage, as before its first step. It starts with the best weights so far.
        feed: makes the batches of a stage.
        logits: logits of the validation photos, by the model that is judged.
        labels: classes of the validation photos.
        last_is_best: the newest epoch counts as the best one: of averaged weights whose learning rate falls to zero,
            later ones are better, and a few hundred photos cannot tell two of them apart.
    """

    learner: Callable[[Stage], Learner]
    feed: Callable[[Stage], BatchFeed]
    logits: Callable[[], NDArray[np.float32]]
    labels: NDArray[np.int64]
    last_is_best: bool = False


def train_on_photos(
    model: keras.Model,
    lessons: Lessons,
    recipe: Recipe,
    on_epoch: Callable[[TrainingState], None],
    reporter: Reporter,
    state: TrainingState | None = None,
) -> bool:
    """Train the network; `model` ends with the weights of the best epoch, which may be epoch 0.

    Args:
        model: the network that is validated and kept.
        on_epoch: called after each epoch, including epoch 0, while `model` holds the weights of that epoch.
        state: state of an unfinished training of the same recipe and photos.

    Returns:
        Whether Ctrl-C stopped the training; then the best epoch so far is kept.

    Raises:
        TrainingError: the training diverged.
        CheckpointError: the state is of another network.
    """
    if state is None:
        state = _initial_state(model, lessons, recipe)
        reporter.say(state.best_epoch.line(0))
        on_epoch(state)
    try:
        with closing(_states(model, lessons, recipe, reporter, state)) as states:
            for state, last in states:
                line = state.epochs[-1].line(last)
                reporter.say(line.removesuffix(BEST) if lessons.last_is_best else line)
                on_epoch(state)
    except KeyboardInterrupt:
        reporter.say(f"Stopped by Ctrl-C. The best weights so far, those of epoch {state.best_epoch.epoch}, are kept.")
        return True
    finally:
        model.set_weights(state.best)
    return False


def _initial_state(model: keras.Model, lessons: Lessons, recipe: Recipe) -> TrainingState:
    """The state before the first epoch on photos."""
    learnt = recipe.head.epochs > 0 and recipe.head.on == "features"
    epoch = _validated(lessons, Epoch.zero(HEAD if learnt else START))
    return TrainingState.before_stage((replace(epoch, best=True),), model.get_weights())


def _states(
    model: keras.Model, lessons: Lessons, recipe: Recipe, reporter: Reporter, state: TrainingState
) -> Generator[tuple[TrainingState, int], None, None]:
    """Yield the state after each epoch of the remaining stages, with the last epoch of its stage."""
    for stage in remaining_stages(recipe, state.epochs):
        if stage.end_reason(state.epochs) is None:
            if not stage.epochs_of(state.epochs):
                state = TrainingState.before_stage(state.epochs, state.best)
            loop = StageLoop(lessons.learner(stage), lessons.feed(stage), stage, reporter, state)
            with loop.feed:
                while stage.end_reason(state.epochs) is None:
                    state = _next_state(model, loop, lessons, recipe.monitor, state)
                    yield state, stage.last(state.epochs)
        if why := stage.end_reason(state.epochs):
            reporter.say(why)
    if kept := kept_in_words(state.epochs):
        reporter.say(kept)


def _next_state(
    model: keras.Model, loop: StageLoop, lessons: Lessons, monitor: Monitor, before: TrainingState
) -> TrainingState:
    """The state after one more epoch."""
    trained, weights = loop.epoch(before.epochs)
    model.set_weights(weights)
    epoch = _validated(lessons, trained)
    epoch = replace(epoch, best=lessons.last_is_best or epoch.better_than(before.best_epoch, monitor))
    return loop.state((*before.epochs, epoch), weights if epoch.best else before.best)


def _validated(lessons: Lessons, epoch: Epoch) -> Epoch:
    """Return the epoch with its validation metrics; NaN where no photo judges.

    Raises:
        TrainingError: a logit of the network is infinite or NaN.
    """
    logits, labels = lessons.logits(), lessons.labels
    if not np.isfinite(logits).all():
        lower = "--set head.learning_rate" if epoch.stage == HEAD else "--learning-rate"
        raise TrainingError(
            f"The training diverged in epoch {epoch.epoch}: a logit is infinite or NaN. Pass a lower {lower}."
        )
    if not len(labels):
        return replace(epoch, accuracy=math.nan, log_loss=math.nan)
    accuracy = float((logits.argmax(axis=1) == labels).mean())
    return replace(epoch, accuracy=accuracy, log_loss=log_loss(labels, softmax(logits)))
