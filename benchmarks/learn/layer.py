"""The last layer of a network and the photos that it sees, in numpy alone."""

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
        task: number of task features; they stand before the broad ones.
    """

    kernel: Floats
    bias: Floats
    task: int


@dataclass(frozen=True)
class Photos:
    """Photos as a head sees them.

    Attributes:
        features: float32 [N, F], task features and then broad ones, each half of unit length.
        labels: place of each photo's class in the set's own classes, [N].
    """

    features: Floats
    labels: Ints

    def take(self, places: Ints) -> "Photos":
        """Some of them."""
        return Photos(self.features[places], self.labels[places])

    def __len__(self) -> int:
        return len(self.labels)
