"""The head of a model, and photos as a head sees them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]
Marks = NDArray[np.bool_]


@dataclass(frozen=True)
class Layer:
    """The last layer of a model: logits are `features @ kernel + bias`. The temperature is inside.

    Attributes:
        kernel: float32 [F, classes].
        bias: float32 [classes].
    """

    kernel: Floats
    bias: Floats

    def logits(self, features: Floats) -> Floats:
        """Logits, float32 [N, classes], of features [N, F]."""
        given: Floats = features @ self.kernel + self.bias
        return given

    def answers(self, features: Floats) -> Ints:
        """The class of each photo, [N]."""
        found: Ints = self.logits(features).argmax(axis=1)
        return found

    def widened(self, new: int) -> "Layer":
        """The layer with more classes at the end, which no photo gets: their logits are far below the others."""
        kernel = np.hstack([self.kernel, np.zeros((len(self.kernel), new), np.float32)])
        return Layer(kernel, np.append(self.bias, np.full(new, NEVER, np.float32)))


NEVER = -20.0
"""Logit of a class that nothing was learnt of."""
