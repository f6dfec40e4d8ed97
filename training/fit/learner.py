"""The network that learns and its optimizer: a training step, and all that it changes."""

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from training.errors import CheckpointError
from training.fit.epoch import Weights
from training.fit.optimizer import loss_of, optimizer_of, targets_of
from training.recipe.learning import FineTune

OTHER_NETWORK = (
    "The checkpoint belongs to another network than the one that this recipe builds here. Use the version of"
    " phototriage that wrote it. To start over, pass another --output or --restart."
)


class Learner:
    """A network that learns, compiled for a stage. Its first step takes seconds, because the step becomes a graph.

    Args:
        network: what stays frozen is not trainable.
        settings: of the stage.
    """

    def __init__(self, network: keras.Model, settings: FineTune) -> None:
        self.network = network
        self._outputs = int(network.output_shape[-1])
        self._optimizer = optimizer_of(settings)
        network.compile(self._optimizer, loss_of(self._outputs, settings.label_smoothing))
        self._optimizer.build(network.trainable_variables)

    def step(self, inputs: NDArray[Any], one_hot: NDArray[np.float32], rate: float) -> float:
        """Do one step and return its loss."""
        self._optimizer.learning_rate = rate
        return float(self.network.train_on_batch(inputs, targets_of(one_hot, self._outputs)))

    def set_weights(self, weights: Weights) -> None:
        """Set the weights of the network.

        Raises:
            CheckpointError: they belong to another network.
        """
        _assign(self.network.weights, weights)

    def state(self) -> tuple[Weights, Weights]:
        """Variables of the network, including its random counters, and of the optimizer."""
        return _values(_variables(self.network)), _values(self._optimizer.variables)

    def restore(self, network: Weights, optimizer: Weights) -> None:
        """Return to an earlier state.

        Raises:
            CheckpointError: it belongs to another network.
        """
        _assign(_variables(self.network), network)
        _assign(self._optimizer.variables, optimizer)
        self.network.reset_metrics()


def _variables(model: keras.Model) -> list[Any]:
    """Weights and random counters, which `get_weights` omits, but not the variables of metrics."""
    metrics = {id(variable) for variable in model.metrics_variables}
    return [variable for variable in model.variables if id(variable) not in metrics]


def _values(variables: list[Any]) -> Weights:
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]


def _assign(variables: list[Any], values: Weights) -> None:
    if [tuple(variable.shape) for variable in variables] != [value.shape for value in values]:
        raise CheckpointError(OTHER_NETWORK)
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
