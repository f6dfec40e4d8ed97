"""How the stages of a training learn: settings of the head's stage and of fine-tuning."""

import re
from dataclasses import dataclass
from typing import Literal

HeadData = Literal["features", "photos"]
OptimizerName = Literal["adamw", "adam", "sgd", "rmsprop"]
Schedule = Literal["cosine", "constant", "plateau"]
BatchNorm = Literal["train", "frozen"]

_BLOCKS = re.compile(r"([1-9]\d*) blocks?")


@dataclass(frozen=True)
class Head:
    """The first stage: the layers on the backbone learn, the backbone does not.

    Attributes:
        on: `features` computes the backbone's features once and learns from them in seconds; `photos` learns from
            warped photos through the backbone.
        epochs: passes over them; the best one by validation is kept. 0 leaves the stage out.
        least_steps: fewest steps on features; with few photos there are more passes.
    """

    on: HeadData = "features"
    epochs: int = 20
    least_steps: int = 300
    batch_size: int = 128
    optimizer: OptimizerName = "adamw"
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    schedule: Schedule = "cosine"
    warmup: float = 0.05
    plateau_patience: int = 2
    plateau_factor: float = 0.2
    patience: int = 0


@dataclass(frozen=True)
class FineTune:
    """The second stage: the backbone learns too.

    Attributes:
        unfreeze: how much of the backbone learns, counted from its end: layers (0: none, what stands on it alone),
            blocks such as `3 blocks`, or `all`.
        epochs: 0 leaves the stage out.
        least_steps: fewest steps; few photos get more epochs.
        scale: side of the photos trained on, as a share of the input's, to the nearest 32 px. Crops make things look
            larger in training than in use; the larger input makes up for that, and training costs less. Source: Touvron
            et al., "Fixing the train-test resolution discrepancy", 2019.
        weight_decay: for adamw; 0 with the other optimizers.
        schedule: after the warm-up, `cosine` lets the rate fall to zero, `constant` keeps it, `plateau` multiplies it
            by `plateau_factor` after `plateau_patience` epochs without a lower validation loss.
        warmup: share of the steps in which the rate rises to `learning_rate`.
        batch_norm: `train` lets batch normalisation learn the statistics of these photos; `frozen` keeps ImageNet's.
        batch_norm_momentum: how slowly its moving statistics follow. Keras's 0.999 lags behind a short training.
        averaging: share of the averaged weights that each step keeps, 0 = no averaging; what is validated and kept.
        patience: epochs without a better one by validation after which the stage ends, 0 = never.
    """

    unfreeze: int | str = "4 blocks"
    epochs: int = 4
    scale: float = 5 / 6
    batch_size: int = 32
    optimizer: OptimizerName = "adamw"
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    schedule: Schedule = "cosine"
    warmup: float = 0.1
    plateau_patience: int = 2
    plateau_factor: float = 0.2
    label_smoothing: float = 0.1
    batch_norm: BatchNorm = "frozen"
    batch_norm_momentum: float = 0.98
    averaging: float = 0.998
    patience: int = 0
    least_steps: int = 300

    @property
    def blocks(self) -> int | None:
        """Number of blocks that learn; None if `unfreeze` is not a number of blocks."""
        found = _BLOCKS.fullmatch(str(self.unfreeze))
        return int(found[1]) if found else None
