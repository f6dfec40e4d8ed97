"""Train the stages on photos one after the other, validate each epoch, and keep the best one."""

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import replace

import keras
import numpy as np

from training.dataset.samples import Samples
from training.errors import TrainingError
from training.fit.epoch import HEAD, START, Epoch, TrainingState
from training.fit.loop import StageLoop
from training.fit.stage import kept_in_words, remaining_stages
from training.measure.metrics import log_loss, softmax
from training.network.features import logits_of
from training.progress import Reporter
from training.recipe.recipe import Monitor, Recipe

Data = tuple[Samples, Samples]


def train_on_photos(
    model: keras.Model,
    make_learner: Callable[[], keras.Model],
    data: Data,
    recipe: Recipe,
    on_epoch: Callable[[TrainingState], None],
    reporter: Reporter,
    state: TrainingState | None = None,
) -> bool:
    """Train the network; `model` ends with the weights of the best epoch, which may be epoch 0.

    Args:
        model: the network that is validated and kept, at the input size.
        make_learner: builds the same network at the size of the training photos. Each stage builds one, which starts
            with the best weights so far.
        data: training photos at the size of the learner, and validation photos at the size of the model.
        on_epoch: called after each epoch, including epoch 0, while `model` holds the weights of that epoch.
        state: state of an unfinished training of the same recipe and photos.

    Returns:
        Whether Ctrl-C stopped the training; then the best epoch so far is kept.

    Raises:
        TrainingError: the training diverged.
        CheckpointError: the state is of another network.
    """
    if state is None:
        state = _initial_state(model, data[1], recipe)
        reporter.say(state.best_epoch.line(0))
        on_epoch(state)
    try:
        with closing(_states(model, make_learner, data, recipe, reporter, state)) as states:
            for state, last in states:
                reporter.say(state.epochs[-1].line(last))
                on_epoch(state)
    except KeyboardInterrupt:
        reporter.say(f"Stopped by Ctrl-C. The best weights so far, those of epoch {state.best_epoch.epoch}, are kept.")
        return True
    finally:
        model.set_weights(state.best)
    return False


def _initial_state(model: keras.Model, validation: Samples, recipe: Recipe) -> TrainingState:
    """The state before the first epoch on photos."""
    learnt = recipe.head.epochs > 0 and recipe.head.on == "features"
    epoch = _validated(model, validation, Epoch.zero(HEAD if learnt else START))
    return TrainingState.before_stage((replace(epoch, best=True),), model.get_weights())


def _states(
    model: keras.Model,
    make_learner: Callable[[], keras.Model],
    data: Data,
    recipe: Recipe,
    reporter: Reporter,
    state: TrainingState,
) -> Generator[tuple[TrainingState, int], None, None]:
    """Yield the state after each epoch of the remaining stages, with the last epoch of its stage."""
    for stage in remaining_stages(recipe, state.epochs):
        if stage.end_reason(state.epochs) is None:
            if not stage.epochs_of(state.epochs):
                state = TrainingState.before_stage(state.epochs, state.best)
            loop = StageLoop(make_learner(), data[0], recipe, stage, reporter, state)
            with loop.feed:
                while stage.end_reason(state.epochs) is None:
                    state = _next_state(model, loop, data[1], recipe.monitor, state)
                    yield state, stage.last(state.epochs)
        if why := stage.end_reason(state.epochs):
            reporter.say(why)
    if kept := kept_in_words(state.epochs):
        reporter.say(kept)


def _next_state(
    model: keras.Model, loop: StageLoop, validation: Samples, monitor: Monitor, before: TrainingState
) -> TrainingState:
    """The state after one more epoch."""
    trained, weights = loop.epoch(before.epochs)
    model.set_weights(weights)
    epoch = _validated(model, validation, trained)
    epoch = replace(epoch, best=epoch.better_than(before.best_epoch, monitor))
    return loop.state((*before.epochs, epoch), weights if epoch.best else before.best)


def _validated(model: keras.Model, validation: Samples, epoch: Epoch) -> Epoch:
    """Return the epoch with its validation metrics.

    Raises:
        TrainingError: a logit of the network is infinite or NaN.
    """
    logits = logits_of(model, validation)
    if not np.isfinite(logits).all():
        lower = "--set head.learning_rate" if epoch.stage == HEAD else "--learning-rate"
        raise TrainingError(
            f"The training diverged in epoch {epoch.epoch}: a logit is infinite or NaN. Pass a lower {lower}."
        )
    accuracy = float((logits.argmax(axis=1) == validation.labels).mean())
    return replace(epoch, accuracy=accuracy, log_loss=log_loss(validation.labels, softmax(logits)))
