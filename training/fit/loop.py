"""The inner loop of a stage on photos: steps, learning rate, averaged weights. It can stop and resume between epochs.

The step is `train_on_batch` of Keras, without TensorFlow code, so that it runs on the other backends of Keras too.
"""

import math
import time
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np

from training.errors import CheckpointError
from training.fit.epoch import Epoch, TrainingState, Weights
from training.fit.feed import BatchFeed
from training.fit.learner import OTHER_NETWORK, Learner
from training.fit.schedule import averaging_decay
from training.fit.stage import Stage
from training.progress import Reporter

AVERAGE_EVERY = 8  # steps between updates of the averaged weights, because copying them takes as long as a photo


class WeightAverage:
    """Exponential moving average of a model's weights, batch normalisation's statistics included.

    Source: Polyak and Juditsky, 1992; in this form Tarvainen and Valpola, "Mean teachers", 2017.
    """

    def __init__(self, model: keras.Model, averaging: float, every: int) -> None:
        self._model, self._averaging, self._every = model, averaging, every
        self._mean: list[Any] = [weight.copy() for weight in model.get_weights()]

    def update(self, step: int) -> None:
        """Add the weights of this step to the average; most steps do nothing."""
        if self._averaging and step % self._every == 0:
            keep = averaging_decay(step, self._averaging, self._every)
            for place, weight in enumerate(self._model.get_weights()):
                if np.issubdtype(weight.dtype, np.floating):
                    self._mean[place] = keep * self._mean[place] + (1 - keep) * weight

    def weights(self) -> Weights:
        """The average, or the current weights if averaging is off."""
        return [weight.copy() for weight in self._mean] if self._averaging else self._model.get_weights()

    def kept(self) -> Weights:
        """The state for `restore`; empty if averaging is off."""
        return self.weights() if self._averaging else []

    def restore(self, kept: Weights) -> None:
        """Restore an average from a checkpoint."""
        if len(kept) != (len(self._mean) if self._averaging else 0):
            raise CheckpointError(OTHER_NETWORK)
        self._mean = list(kept)


class StageLoop:
    """A running stage: learner, optimizer, batches, weight average and step count, started from a state.

    Args:
        learner: in its state before the first step.
        feed: its batches.
        state: a state of this stage, or the state before it begins.

    Raises:
        CheckpointError: the state belongs to another network than `learner`.
    """

    def __init__(
        self,
        learner: Learner,
        feed: BatchFeed,
        stage: Stage,
        reporter: Reporter,
        state: TrainingState,
    ) -> None:
        settings = stage.settings
        learner.set_weights(state.best)
        self.feed = feed
        self._learner, self._stage, self._reporter = learner, stage, reporter
        self._average = WeightAverage(learner.network, settings.averaging, min(AVERAGE_EVERY, self.feed.steps))
        self._step = state.step
        if state.learner:
            learner.restore(state.learner, state.optimizer)
            self._average.restore(state.average)

    def state(self, epochs: tuple[Epoch, ...], best: Weights) -> TrainingState:
        """The state from which this loop can resume."""
        return TrainingState(epochs, self._step, best, *self._learner.state(), self._average.kept())

    def epoch(self, history: Sequence[Epoch]) -> tuple[Epoch, Weights]:
        """Train the next epoch; returns it without validation metrics, and the weights to validate."""
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
                losses.append(self._learner.step(photos, one_hot, rate))
                self._step += 1
                self._average.update(self._step)
                tick(len(photos))
        return sum(losses) / len(losses)
