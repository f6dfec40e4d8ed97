"""A line of a run's history, and all that a training needs to go on after it."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.progress import duration

Weights = list[NDArray[np.generic]]

START, HEAD, TUNE = "start", "head", "fine-tune"  # values of Epoch.stage


@dataclass(frozen=True)
class Epoch:
    """One line of a run's history. accuracy and log_loss are of the validation photos.

    Epoch 0 is before any training on photos: the head learnt from features (stage `head`), or nothing yet (`start`).
    From then on numbers go through the stages: `head` on photos, then `fine-tune`.
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
        """The one before any training on photos, not validated yet."""
        return cls(0, stage, math.nan, 0.0, math.inf, 0.0, 0.0, best=False)

    def better_than(self, other: "Epoch") -> bool:
        """More photos right, or as many with less doubt."""
        return (self.accuracy, -self.log_loss) > (other.accuracy, -other.log_loss)

    def line(self, last: int) -> str:
        """The epoch in words; `last` is the number of the last one of its stage."""
        kept = ", best so far" if self.best and self.epoch else ""
        speed = f", {self.photos_per_s:.0f} photos/s, {duration(self.seconds)}" if self.epoch else ""
        loss = f" loss {self.loss:.3f}," if self.epoch else ""
        figures = f"{loss} validation accuracy {self.accuracy:.4f}, log loss {self.log_loss:.3f}{speed}{kept}"
        return f"{self._name(last)}:{figures}"

    def _name(self, last: int) -> str:
        if not self.epoch:
            return "Head alone" if self.stage == HEAD else "Before training"
        return f"{'Head, epoch' if self.stage == HEAD else 'Epoch'} {self.epoch} of {last}"


@dataclass(frozen=True)
class State:
    """A training on photos between two epochs.

    epochs: its history, epoch 0 first. step: steps done in the stage.
    best: the weights of the best epoch, as they were measured: averaged, where there is averaging.
    learner: variables of the network that learns, its random counters included; optimizer: those of the optimizer;
        average: the average under way. All three are empty between two stages, when nothing of the next has begun.
    """

    epochs: tuple[Epoch, ...]
    step: int
    best: Weights
    learner: Weights
    optimizer: Weights
    average: Weights

    @classmethod
    def before_stage(cls, epochs: tuple[Epoch, ...], best: Weights) -> "State":
        """The state in which a stage begins: it takes over the best weights, and no more."""
        return cls(epochs, 0, best, [], [], [])

    @property
    def epoch(self) -> int:
        """The last epoch that is done; 0 is before training on photos."""
        return self.epochs[-1].epoch

    @property
    def best_epoch(self) -> Epoch:
        """The epoch that `best` is from."""
        return next(epoch for epoch in reversed(self.epochs) if epoch.best)
