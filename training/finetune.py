"""The fine-tuning stage: all layers or the last ones, on warped photos, averaged weights, the best epoch kept."""

from collections.abc import Callable
from dataclasses import replace

import keras
import numpy as np

from training.data import Samples
from training.epoch import Epoch, State
from training.errors import TrainingError
from training.head import logits_of
from training.loop import Loop
from training.metrics import log_loss, softmax
from training.progress import Reporter
from training.recipe import Recipe


def fine_tune(
    model: keras.Model,
    learner: keras.Model,
    data: tuple[Samples, Samples],
    recipe: Recipe,
    keep: Callable[[State], None],
    reporter: Reporter,
    state: State | None = None,
) -> bool:
    """Train the network; `model` ends with the weights of the best epoch, the head stage's included.

    Args:
        model: what is measured and kept, at the size of the input.
        learner: the same network at the size of the photos trained on; it takes its first weights from `model`.
        data: photos to train on, at the learner's size, and photos to check with, at the model's.
        keep: called after each epoch, the head stage's included, while `model` holds that epoch's weights.
        state: where an unfinished training of the same recipe and photos was left.

    Returns:
        Whether it was stopped by Ctrl-C; then the best so far is kept.

    Raises:
        TrainingError: the weights grew out of bounds. CheckpointError: the state is of another network.
    """
    train, validation = data
    epochs, patience = recipe.fine_tune.epochs, recipe.fine_tune.patience
    if state is None:
        state = _headed(model, validation)
        reporter.say(state.best_epoch.line(epochs))
        keep(state)
    loop = Loop(learner, train, recipe, reporter, state)
    try:
        with loop.feed:
            for number in range(state.epoch + 1, epochs + 1):
                if patience and state.epoch - state.best_epoch.epoch >= patience:
                    reporter.say(f"No better for {patience} epochs: stopped early.")
                    break
                state = _trained(model, loop, number, validation, state)
                reporter.say(state.epochs[-1].line(epochs))
                keep(state)
    except KeyboardInterrupt:
        reporter.say(f"Stopped by Ctrl-C: the best weights so far, of epoch {state.best_epoch.epoch}, are kept.")
        return True
    finally:
        model.set_weights(state.best)
    return False


def _headed(model: keras.Model, validation: Samples) -> State:
    """The state before the first epoch."""
    epoch = _validated(model, validation, Epoch.start())
    return State((epoch,), 0, model.get_weights(), [], [], [])


def _trained(model: keras.Model, loop: Loop, number: int, validation: Samples, before: State) -> State:
    """The state after one more epoch."""
    trained, weights = loop.epoch(number)
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
        raise TrainingError(f"The weights grew out of bounds in epoch {epoch.epoch}. Pass a lower --learning-rate.")
    accuracy = float((logits.argmax(axis=1) == validation.labels).mean())
    found = replace(epoch, accuracy=accuracy, log_loss=log_loss(validation.labels, softmax(logits)))
    return replace(found, best=best is None or found.better_than(best))
