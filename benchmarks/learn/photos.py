"""Photos as a head sees them."""

from dataclasses import dataclass

from learn.fitting.layer import Floats, Ints


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
