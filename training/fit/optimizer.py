"""Optimizer and loss of a recipe, also for one sigmoid unit that stands for two classes."""

from typing import Any, Protocol

import keras
import numpy as np
from numpy.typing import NDArray

from training.recipe.learning import OptimizerName

MOMENTUM = 0.9  # for SGD, which would need many epochs without it


class OptimizerSettings(Protocol):
    """The optimizer settings of a stage."""

    @property
    def optimizer(self) -> OptimizerName: ...
    @property
    def learning_rate(self) -> float: ...
    @property
    def weight_decay(self) -> float: ...


def optimizer_of(settings: OptimizerSettings) -> keras.optimizers.Optimizer:
    """Create the optimizer of a stage. Weight decay excludes biases and normalisation."""
    if settings.optimizer == "adam":
        return keras.optimizers.Adam(settings.learning_rate)
    if settings.optimizer == "sgd":
        return keras.optimizers.SGD(settings.learning_rate, momentum=MOMENTUM)
    if settings.optimizer == "rmsprop":
        return keras.optimizers.RMSprop(settings.learning_rate)
    optimizer = keras.optimizers.AdamW(settings.learning_rate, weight_decay=settings.weight_decay)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def loss_of(outputs: int, label_smoothing: float = 0.0) -> keras.losses.Loss:
    """Cross-entropy on logits, for the targets of `targets_of`. A single output is the second of two classes."""
    if outputs == 1:
        return keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=label_smoothing)
    return keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=label_smoothing)


def targets_of(one_hot: NDArray[np.float32], outputs: int) -> NDArray[np.float32]:
    """Targets of the network: float32 [N, classes] -> [N, outputs]."""
    return one_hot[:, 1:] if outputs == 1 else one_hot


def classes_of(model: Any) -> int:
    """Number of classes of a network; one output means two classes."""
    return max(2, int(model.output_shape[-1]))
