"""What a recipe's words for optimizer and loss mean, and how one unit stands for two classes."""

from typing import Any, Protocol

import keras
import numpy as np
from numpy.typing import NDArray

from training.recipe.recipe import OptimizerName

MOMENTUM = 0.9  # of sgd: without it, few photos take many epochs


class Settings(Protocol):
    """What a stage says of its optimizer."""

    @property
    def optimizer(self) -> OptimizerName: ...
    @property
    def learning_rate(self) -> float: ...
    @property
    def weight_decay(self) -> float: ...


def optimizer_of(settings: Settings) -> keras.optimizers.Optimizer:
    """The optimizer of a stage. Weight decay leaves biases and normalisation alone."""
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
    """Cross-entropy on logits for `targets_of` that many outputs; one output is the second class of two."""
    if outputs == 1:
        return keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=label_smoothing)
    return keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=label_smoothing)


def targets_of(one_hot: NDArray[np.float32], outputs: int) -> NDArray[np.float32]:
    """What the network should answer: float32 [N, classes] -> [N, outputs]."""
    return one_hot[:, 1:] if outputs == 1 else one_hot


def classes_of(model: Any) -> int:
    """How many classes a network with these outputs tells apart."""
    return max(2, int(model.output_shape[-1]))
