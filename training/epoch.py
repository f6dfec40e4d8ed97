"""A line of a run's history, and all that a training needs to go on after it."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.progress import duration

Weights = list[NDArray[np.generic]]


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


@dataclass(frozen=True)
class State:
    """A fine-tuning between two epochs.

    epochs: its history, the head stage (epoch 0) first. step: steps done.
    best: the weights of the best epoch, as they were measured: averaged, where there is averaging.
    learner: variables of the network that learns, its random counters included; optimizer: those of the optimizer;
        average: the average under way. All three are empty after the head stage, when nothing has begun yet.
    """

    epochs: tuple[Epoch, ...]
    step: int
    best: Weights
    learner: Weights
    optimizer: Weights
    average: Weights

    @property
    def epoch(self) -> int:
        """The last epoch that is done; 0 is the head stage."""
        return self.epochs[-1].epoch

    @property
    def best_epoch(self) -> Epoch:
        """The epoch that `best` is from."""
        return next(epoch for epoch in reversed(self.epochs) if epoch.best)
