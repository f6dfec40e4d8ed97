"""The fine-tuning stage: all layers or the last ones, on warped photos, averaged weights, the best epoch kept.

The step is Keras's own (`train_on_batch`), without a word of TensorFlow, so that it runs on Keras's other backends too.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

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

    @classmethod
    def start(cls) -> "Epoch":
        """The state before fine-tuning."""
        return cls(0, math.nan, 0.0, math.inf, 0.0, 0.0, best=False)

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
    learner: keras.Model,
    data: tuple[Samples, Samples],
    recipe: Recipe,
    keep: Callable[[Epoch], None],
    reporter: Reporter,
) -> bool:
    """Train the network; `model` ends with the weights of the best epoch, the head stage's included.

    Args:
        model: what is measured and kept, at the size of the input.
        learner: the same network at the size of the photos trained on; it takes its first weights from `model`.
        data: photos to train on, at the learner's size, and photos to check with, at the model's.
        keep: called after each epoch, while `model` holds that epoch's weights.

    Returns:
        Whether it was stopped by Ctrl-C; then the best so far is kept.

    Raises:
        TrainingError: the weights grew out of bounds.
    """
    train, validation = data
    epochs, patience = recipe.fine_tune.epochs, recipe.fine_tune.patience
    best = _validated(model, validation, Epoch.start())
    best_weights = model.get_weights()
    reporter.say(best.line(epochs))
    keep(best)
    learner.set_weights(best_weights)
    loop = _Loop(learner, train, recipe, reporter)
    try:
        with loop.feed:
            for number in range(1, epochs + 1):
                trained, weights = loop.epoch(number)
                model.set_weights(weights)
                epoch = _validated(model, validation, trained, best)
                reporter.say(epoch.line(epochs))
                if epoch.best:
                    best, best_weights = epoch, weights
                keep(epoch)
                if patience and number - best.epoch >= patience:
                    reporter.say(f"No better for {patience} epochs: stopped early.")
                    break
    except KeyboardInterrupt:
        reporter.say(f"Stopped by Ctrl-C: the best weights so far, of epoch {best.epoch}, are kept.")
        return True
    finally:
        model.set_weights(best_weights)
    return False


class _Loop:
    """One fine-tuning under way: learner, optimizer, batches, average and the count of steps."""

    def __init__(self, learner: keras.Model, train: Samples, recipe: Recipe, reporter: Reporter) -> None:
        settings = recipe.fine_tune
        unfreeze(learner, settings)
        self._optimizer = _optimizer(settings)
        loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=settings.label_smoothing)
        learner.compile(self._optimizer, loss)
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
        self._step = 0

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
            for photos, targets in self.feed.epoch():
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
