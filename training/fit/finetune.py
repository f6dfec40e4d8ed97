"""The stages on photos, one after the other: each epoch is validated, and the best of them all is kept."""

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import replace

import keras
import numpy as np

from training.dataset.samples import Samples
from training.errors import TrainingError
from training.fit.epoch import HEAD, START, Epoch, State
from training.fit.loop import Loop
from training.fit.stage import stages_left
from training.measure.metrics import log_loss, softmax
from training.network.features import logits_of
from training.progress import Reporter
from training.recipe.recipe import Recipe

Data = tuple[Samples, Samples]


def train_on_photos(
    model: keras.Model,
    make_learner: Callable[[], keras.Model],
    data: Data,
    recipe: Recipe,
    keep: Callable[[State], None],
    reporter: Reporter,
    state: State | None = None,
) -> bool:
    """Train the network; `model` ends with the weights of the best epoch, the one before training on photos included.

    Args:
        model: what is measured and kept, at the size of the input.
        make_learner: builds the same network, at the size of the photos trained on; each stage takes a fresh one, which
            begins with the best weights so far.
        data: photos to train on, at the learner's size, and photos to check with, at the model's.
        keep: called after each epoch, the first included, while `model` holds that epoch's weights.
        state: where an unfinished training of the same recipe and photos was left.

    Returns:
        Whether it was stopped by Ctrl-C; then the best so far is kept.

    Raises:
        TrainingError: the weights grew out of bounds. CheckpointError: the state is of another network.
    """
    if state is None:
        state = _state_zero(model, data[1], recipe)
        reporter.say(state.best_epoch.line(0))
        keep(state)
    try:
        with closing(_states(model, make_learner, data, recipe, reporter, state)) as states:
            for state, last in states:
                reporter.say(state.epochs[-1].line(last))
                keep(state)
    except KeyboardInterrupt:
        reporter.say(f"Stopped by Ctrl-C: the best weights so far, of epoch {state.best_epoch.epoch}, are kept.")
        return True
    finally:
        model.set_weights(state.best)
    return False


def _state_zero(model: keras.Model, validation: Samples, recipe: Recipe) -> State:
    """The state before the first epoch on photos."""
    learnt = recipe.head.epochs > 0 and recipe.head.on == "features"
    epoch = _validated(model, validation, Epoch.zero(HEAD if learnt else START))
    return State.before_stage((epoch,), model.get_weights())


def _states(
    model: keras.Model,
    make_learner: Callable[[], keras.Model],
    data: Data,
    recipe: Recipe,
    reporter: Reporter,
    state: State,
) -> Generator[tuple[State, int], None, None]:
    """The state after each epoch of all stages that are left, with the number of the last epoch of its stage."""
    for stage in stages_left(recipe, state.epochs):
        if stage.why_over(state.epochs) is None:
            if not stage.epochs_of(state.epochs):
                state = State.before_stage(state.epochs, state.best)
            loop = Loop(make_learner(), data[0], recipe, stage, reporter, state)
            with loop.feed:
                while stage.why_over(state.epochs) is None:
                    state = _trained(model, loop, data[1], state)
                    yield state, stage.last(state.epochs)
        if why := stage.why_over(state.epochs):
            reporter.say(why)


def _trained(model: keras.Model, loop: Loop, validation: Samples, before: State) -> State:
    """The state after one more epoch."""
    trained, weights = loop.epoch(before.epochs)
    model.set_weights(weights)
    epoch = _validated(model, validation, trained, before.best_epoch)
    return loop.state((*before.epochs, epoch), weights if epoch.best else before.best)


def _validated(model: keras.Model, validation: Samples, epoch: Epoch, best: Epoch | None = None) -> Epoch:
    """The epoch with the figures of the validation photos, and whether it is the best so far.

    Raises:
        TrainingError: the network answers with infinities or no numbers.
    """
    logits = logits_of(model, validation)
    if not np.isfinite(logits).all():
        lower = "--set head.learning_rate" if epoch.stage == HEAD else "--learning-rate"
        raise TrainingError(f"The weights grew out of bounds in epoch {epoch.epoch}. Pass a lower {lower}.")
    accuracy = float((logits.argmax(axis=1) == validation.labels).mean())
    found = replace(epoch, accuracy=accuracy, log_loss=log_loss(validation.labels, softmax(logits)))
    return replace(found, best=best is None or found.better_than(best))
