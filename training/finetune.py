"""The fine-tuning stage: all layers or the last ones, on warped photos, averaged weights, the best epoch kept.

The step is Keras's own (`train_on_batch`), without a word of TensorFlow, so that it runs on Keras's other backends too.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from training.data import Samples
from training.errors import TrainingError
from training.feed import Feed
from training.head import logits_of
from training.metrics import log_loss, softmax
from training.network import unfreeze
from training.progress import Reporter, duration
from training.recipe import FineTune, Recipe
from training.schedule import decay, rate

AVERAGE_EVERY = 8  # steps between two updates of the averaged weights: copying them costs as much as a photo

Weights = list[NDArray[np.float32]]


@dataclass(frozen=True)
class Epoch:
    """One line of a run's history. Epoch 0 is the head stage. accuracy and log_loss are of the validation photos."""

    epoch: int
    loss: float
    accuracy: float
    log_loss: float
    photos_per_s: float
    seconds: float
    best: bool

    def better_than(self, other: "Epoch") -> bool:
        """More photos right, or as many with less doubt."""
        return (self.accuracy, -self.log_loss) > (other.accuracy, -other.log_loss)

    def line(self, epochs: int) -> str:
        """The epoch in words."""
        kept = ", best so far" if self.best else ""
        speed = f", {self.photos_per_s:.0f} photos/s, {duration(self.seconds)}" if self.epoch else ""
        loss = f" loss {self.loss:.3f}," if self.epoch else ""
        name = f"Epoch {self.epoch} of {epochs}:" if self.epoch else "Head alone:"
        return f"{name}{loss} validation accuracy {self.accuracy:.4f}, log loss {self.log_loss:.3f}{speed}{kept}"


class Average:
    """Exponential moving average of a model's weights, batch normalisation's statistics included.

    Source: Polyak and Juditsky, 1992; in this form Tarvainen and Valpola, "Mean teachers", 2017.
    """

    def __init__(self, model: keras.Model, averaging: float, every: int) -> None:
        self._model, self._averaging, self._every = model, averaging, every
        self._mean: Weights = [weight.copy() for weight in model.get_weights()]

    def update(self, step: int) -> None:
        """Take the weights of this step in; does nothing on most steps."""
        if self._averaging and step % self._every == 0:
            keep = decay(step, self._averaging, self._every)
            for place, weight in enumerate(self._model.get_weights()):
                # Counters of random seeds are whole numbers, and are left as they are.
                if np.issubdtype(weight.dtype, np.floating):
                    self._mean[place] = keep * self._mean[place] + (1 - keep) * weight

    def weights(self) -> Weights:
        """The average, or the weights as they are when nothing is averaged."""
        return [weight.copy() for weight in self._mean] if self._averaging else self._model.get_weights()


def fine_tune(
    model: keras.Model,
    train: Samples,
    validation: Samples,
    recipe: Recipe,
    keep: Callable[[Epoch], None],
    reporter: Reporter,
) -> bool:
    """Train the network; it ends with the weights of its best epoch, the head stage's included.

    Args:
        keep: called after each epoch, with the model holding that epoch's weights to save.

    Returns:
        Whether it was stopped by Ctrl-C; then the best so far is kept.

    Raises:
        TrainingError: the loss became infinite or no number.
    """
    start = _validated(model, validation, epoch=0, loss=math.nan, photos_per_s=0.0, started=time.monotonic(), best=None)
    reporter.say(start.line(recipe.fine_tune.epochs))
    keep(start)
    best, best_weights = start, model.get_weights()
    loop = _Loop(model, train, recipe, reporter)
    try:
        with loop.feed:
            for number in range(1, recipe.fine_tune.epochs + 1):
                epoch, weights = loop.epoch(number, validation, best)
                reporter.say(epoch.line(recipe.fine_tune.epochs))
                if epoch.best:
                    best, best_weights = epoch, weights
                loop.swap(weights, lambda epoch=epoch: keep(epoch))  # type: ignore[misc]
                if recipe.fine_tune.patience and number - best.epoch >= recipe.fine_tune.patience:
                    reporter.say(f"No better for {recipe.fine_tune.patience} epochs: stopped early.")
                    break
    except KeyboardInterrupt:
        reporter.say(f"Stopped by Ctrl-C: the best weights so far, of epoch {best.epoch}, are kept.")
        return True
    finally:
        model.set_weights(best_weights)
    return False


class _Loop:
    """One fine-tuning under way: model, optimizer, batches, average and the count of steps."""

    def __init__(self, model: keras.Model, train: Samples, recipe: Recipe, reporter: Reporter) -> None:
        settings = recipe.fine_tune
        unfreeze(model, settings.unfreeze)
        self._optimizer = _optimizer(settings)
        loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=settings.label_smoothing)
        model.compile(self._optimizer, loss)
        self.feed = Feed(
            train.pixels,
            train.rows,
            train.labels,
            int(model.output_shape[-1]),
            settings.batch_size,
            recipe.augmentation,
            recipe.seed,
        )
        self._model, self._settings, self._reporter = model, settings, reporter
        self._average = Average(model, settings.averaging, min(AVERAGE_EVERY, self.feed.steps))
        self._step = 0

    def epoch(self, number: int, validation: Samples, best: Epoch) -> tuple[Epoch, Weights]:
        """Train one epoch and validate what it is worth: the averaged weights, which are returned."""
        started = time.monotonic()
        loss = self._train(number)
        speed = self.feed.steps * self.feed.batch_size / (time.monotonic() - started)
        weights = self._average.weights()
        done: list[Epoch] = []
        self.swap(weights, lambda: done.append(_validated(self._model, validation, number, loss, speed, started, best)))
        return done[0], weights

    def swap(self, weights: Weights, work: Callable[[], None]) -> None:
        """Do some work with other weights in the model, then go on with its own."""
        own = self._model.get_weights()
        self._model.set_weights(weights)
        try:
            work()
        finally:
            self._model.set_weights(own)

    def _train(self, number: int) -> float:
        settings, steps = self._settings, self.feed.steps * self._settings.epochs
        self._model.reset_metrics()
        loss: Any = math.nan
        with self._reporter.work(
            f"Epoch {number} of {settings.epochs}", self.feed.steps * self.feed.batch_size
        ) as tick:
            for photos, targets in self.feed.epoch():
                self._optimizer.learning_rate = rate(self._step, steps, settings.learning_rate, settings.warmup)
                loss = self._model.train_on_batch(photos, targets)  # the mean of the epoch so far
                self._step += 1
                self._average.update(self._step)
                tick(len(photos))
        if not math.isfinite(float(loss)):
            raise TrainingError(f"The loss is no longer a number in epoch {number}. Pass a lower --learning-rate.")
        return float(loss)


def _optimizer(settings: FineTune) -> keras.optimizers.Optimizer:
    optimizer = keras.optimizers.AdamW(settings.learning_rate, weight_decay=settings.weight_decay)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def _validated(
    model: keras.Model,
    validation: Samples,
    epoch: int,
    loss: float,
    photos_per_s: float,
    started: float,
    best: Epoch | None,
) -> Epoch:
    logits = logits_of(model, validation)
    accuracy = float((logits.argmax(axis=1) == validation.labels).mean())
    doubt = log_loss(validation.labels, softmax(logits))
    found = Epoch(epoch, loss, accuracy, doubt, photos_per_s, time.monotonic() - started, best=best is None)
    if best is not None and found.better_than(best):
        return Epoch(epoch, loss, accuracy, doubt, photos_per_s, time.monotonic() - started, best=True)
    return found
