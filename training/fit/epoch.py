"""An epoch in the history of a run, and the state that a training needs to resume after it."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.progress import duration
from training.recipe.recipe import Monitor

Weights = list[NDArray[np.generic]]

BEST = ", best so far"
START, HEAD, TUNE = "start", "head", "fine-tune"  # values of Epoch.stage


@dataclass(frozen=True)
class Epoch:
    """One line of the history of a run. `accuracy` and `log_loss` are those of the validation photos.

    Epoch 0 precedes all training on photos: the head has learnt from features (stage `head`), or nothing has learnt yet
    (`start`). The following numbers continue through the stages: `head` on photos, then `fine-tune`.
    """

    epoch: int
    stage: str
    loss: float
    accuracy: float
    log_loss: float
    photos_per_s: float
    seconds: float
    best: bool

    @classmethod
    def zero(cls, stage: str) -> "Epoch":
        """The epoch before any training on photos, not validated yet."""
        return cls(0, stage, math.nan, 0.0, math.inf, 0.0, 0.0, best=False)

    def better_than(self, other: "Epoch", monitor: Monitor) -> bool:
        """Whether the monitored figure is better. The other one decides between equals."""
        return self._figures(monitor) > other._figures(monitor)

    def _figures(self, monitor: Monitor) -> tuple[float, float]:
        figures = self.accuracy, -self.log_loss
        return figures if monitor == "accuracy" else figures[::-1]

    def line(self, last: int) -> str:
        """The epoch in one line; `last` is the last epoch of its stage."""
        kept = BEST if self.best and self.epoch else ""
        speed = f", {self.photos_per_s:.0f} photos/s, {duration(self.seconds)}" if self.epoch else ""
        loss = f" loss {self.loss:.3f}," if self.epoch else ""
        judged = f" validation accuracy {self.accuracy:.4f}, log loss {self.log_loss:.3f}"
        if math.isnan(self.accuracy):  # no photo is held out
            judged, loss = "", loss.rstrip(",")
        return f"{self._name(last)}:{loss}{judged}{speed}{kept}"

    def _name(self, last: int) -> str:
        if not self.epoch:
            return "Head alone" if self.stage == HEAD else "Before training"
        return f"{'Head, epoch' if self.stage == HEAD else 'Epoch'} {self.epoch} of {last}"


@dataclass(frozen=True)
class TrainingState:
    """A training on photos between two epochs.

    Attributes:
        epochs: the history, epoch 0 first.
        step: steps done in the stage.
        best: weights of the best epoch as measured, which are averaged if averaging is on.
        learner: variables of the learning network, including its random counters.
        optimizer: variables of the optimizer.
        average: current weight average. `learner`, `optimizer` and `average` are empty before a stage begins.
    """

    epochs: tuple[Epoch, ...]
    step: int
    best: Weights
    learner: Weights
    optimizer: Weights
    average: Weights

    @classmethod
    def before_stage(cls, epochs: tuple[Epoch, ...], best: Weights) -> "TrainingState":
        """The state before a stage begins: it starts from the best weights only."""
        return cls(epochs, 0, best, [], [], [])

    @property
    def epoch(self) -> int:
        """The last completed epoch; 0 is before training on photos."""
        return self.epochs[-1].epoch

    @property
    def best_epoch(self) -> Epoch:
        """The epoch of the weights in `best`."""
        return next(epoch for epoch in reversed(self.epochs) if epoch.best)
