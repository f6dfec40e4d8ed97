"""The inner loop of fine-tuning: steps, learning rate, averaged weights; it can be put down between two epochs.

The step is Keras's own (`train_on_batch`), without a word of TensorFlow, so that it runs on Keras's other backends too.
"""

import math
import time
from typing import Any

import keras
import numpy as np

from training.data import Samples
from training.epoch import Epoch, State, Weights
from training.errors import CheckpointError
from training.feed import Feed
from training.network import unfreeze
from training.progress import Reporter
from training.recipe import FineTune, Recipe
from training.schedule import decay, rate

AVERAGE_EVERY = 8  # steps between two updates of the averaged weights: copying them costs as much as a photo
OTHER_NETWORK = (
    "The checkpoint is of another network than the one that is built here. Use the version of phototriage that wrote"
    " it, or begin anew: choose another --output, or pass --restart."
)


class Average:
    """Exponential moving average of a model's weights, batch normalisation's statistics included.

    Source: Polyak and Juditsky, 1992; in this form Tarvainen and Valpola, "Mean teachers", 2017.
    """

    def __init__(self, model: keras.Model, averaging: float, every: int) -> None:
        self._model, self._averaging, self._every = model, averaging, every
        self._mean: list[Any] = [weight.copy() for weight in model.get_weights()]

    def update(self, step: int) -> None:
        """Take the weights of this step in; does nothing on most steps."""
        if self._averaging and step % self._every == 0:
            keep = decay(step, self._averaging, self._every)
            for place, weight in enumerate(self._model.get_weights()):
                if np.issubdtype(weight.dtype, np.floating):
                    self._mean[place] = keep * self._mean[place] + (1 - keep) * weight

    def weights(self) -> Weights:
        """The average, or the weights as they are when nothing is averaged."""
        return [weight.copy() for weight in self._mean] if self._averaging else self._model.get_weights()

    def kept(self) -> Weights:
        """What `restore` takes; empty when nothing is averaged."""
        return self.weights() if self._averaging else []

    def restore(self, kept: Weights) -> None:
        """Go on from an average under way."""
        if len(kept) != (len(self._mean) if self._averaging else 0):
            raise CheckpointError(OTHER_NETWORK)
        self._mean = list(kept)


class Loop:
    """One fine-tuning under way: learner, optimizer, batches, average and the count of steps, begun from a state.

    Raises:
        CheckpointError: the state is of another network than `learner`.
    """

    def __init__(self, learner: keras.Model, train: Samples, recipe: Recipe, reporter: Reporter, state: State) -> None:
        settings = recipe.fine_tune
        unfreeze(learner, settings)
        self._optimizer = _optimizer(settings)
        loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=settings.label_smoothing)
        learner.compile(self._optimizer, loss)
        _assign(learner.weights, state.best)
        self.feed = Feed(
            train.pixels,
            train.rows,
            train.labels,
            int(learner.output_shape[-1]),
            settings.batch_size,
            recipe.augmentation,
            recipe.seed,
        )
        self._learner, self._settings, self._reporter = learner, settings, reporter
        self._average = Average(learner, settings.averaging, min(AVERAGE_EVERY, self.feed.steps))
        self._step = state.step
        if state.learner:
            self._optimizer.build(learner.trainable_variables)
            _assign(_variables(learner), state.learner)
            _assign(self._optimizer.variables, state.optimizer)
            self._average.restore(state.average)

    def state(self, epochs: tuple[Epoch, ...], best: Weights) -> State:
        """All that this loop needs to go on from here."""
        learner, optimizer = _values(_variables(self._learner)), _values(self._optimizer.variables)
        return State(epochs, self._step, best, learner, optimizer, self._average.kept())

    def epoch(self, number: int) -> tuple[Epoch, Weights]:
        """Train one epoch: (its figures, not validated yet; the averaged weights)."""
        started = time.monotonic()
        loss = self._train(number)
        seconds = time.monotonic() - started
        photos = self.feed.steps * self.feed.batch_size
        return Epoch(number, loss, 0.0, math.inf, photos / seconds, seconds, best=False), self._average.weights()

    def _train(self, number: int) -> float:
        settings, steps = self._settings, self.feed.steps * self._settings.epochs
        losses: list[float] = []
        photos_in_all = self.feed.steps * self.feed.batch_size
        with self._reporter.work(f"Epoch {number} of {settings.epochs}", photos_in_all) as tick:
            for photos, targets in self.feed.epoch(number):
                self._optimizer.learning_rate = rate(self._step, steps, settings.learning_rate, settings.warmup)
                losses.append(float(self._learner.train_on_batch(photos, targets)))
                self._step += 1
                self._average.update(self._step)
                tick(len(photos))
        return sum(losses) / len(losses)


def _optimizer(settings: FineTune) -> keras.optimizers.Optimizer:
    optimizer = keras.optimizers.AdamW(settings.learning_rate, weight_decay=settings.weight_decay)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def _variables(model: keras.Model) -> list[Any]:
    """Weights and random counters, which `get_weights` leaves out; not the counts of the metrics."""
    metrics = {id(variable) for variable in model.metrics_variables}
    return [variable for variable in model.variables if id(variable) not in metrics]


def _values(variables: list[Any]) -> Weights:
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]


def _assign(variables: list[Any], values: Weights) -> None:
    if [tuple(variable.shape) for variable in variables] != [value.shape for value in values]:
        raise CheckpointError(OTHER_NETWORK)
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
