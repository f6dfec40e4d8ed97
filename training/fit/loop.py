"""The inner loop of a stage on photos: steps, learning rate, averaged weights; it can be put down between two epochs.

The step is Keras's own (`train_on_batch`), without a word of TensorFlow, so that it runs on Keras's other backends too.
"""

import math
import time
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np

from training.dataset.samples import Samples
from training.errors import CheckpointError
from training.fit.epoch import Epoch, State, Weights
from training.fit.feed import Feed
from training.fit.optimizer import classes_of, loss_of, optimizer_of, targets_of
from training.fit.schedule import decay
from training.fit.stage import Stage
from training.network.network import unfreeze
from training.progress import Reporter
from training.recipe.recipe import Recipe

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
    """One stage under way: learner, optimizer, batches, average and the count of steps, begun from a state.

    Args:
        learner: the network that learns, as it was built.
        state: of this stage, or the one before it begins.

    Raises:
        CheckpointError: the state is of another network than `learner`.
    """

    def __init__(
        self, learner: keras.Model, train: Samples, recipe: Recipe, stage: Stage, reporter: Reporter, state: State
    ) -> None:
        settings = stage.settings
        unfreeze(learner, settings)
        self._optimizer = optimizer_of(settings)
        self._outputs = int(learner.output_shape[-1])
        learner.compile(self._optimizer, loss_of(self._outputs, settings.label_smoothing))
        _assign(learner.weights, state.best)
        self.feed = Feed(
            train.pixels,
            train.rows,
            train.labels,
            classes_of(learner),
            settings.batch_size,
            recipe.augmentation,
            recipe.seed,
        )
        self._learner, self._stage, self._reporter = learner, stage, reporter
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

    def epoch(self, history: Sequence[Epoch]) -> tuple[Epoch, Weights]:
        """Train the epoch that follows: (its figures, not validated yet; the weights to be validated)."""
        number = history[-1].epoch + 1
        started = time.monotonic()
        rates = self._stage.rates(history, self.feed.steps)
        loss = self._train(number, self._stage.last(history), rates)
        seconds = time.monotonic() - started
        speed = self.feed.steps * self.feed.batch_size / seconds
        epoch = Epoch(number, self._stage.name, loss, 0.0, math.inf, speed, seconds, best=False)
        return epoch, self._average.weights()

    def _train(self, number: int, last: int, rates: Iterator[float]) -> float:
        losses: list[float] = []
        photos_in_all = self.feed.steps * self.feed.batch_size
        with self._reporter.work(f"Epoch {number} of {last}", photos_in_all) as tick:
            for (photos, one_hot), rate in zip(self.feed.epoch(number), rates, strict=True):
                self._optimizer.learning_rate = rate
                losses.append(float(self._learner.train_on_batch(photos, targets_of(one_hot, self._outputs))))
                self._step += 1
                self._average.update(self._step)
                tick(len(photos))
        return sum(losses) / len(losses)


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
