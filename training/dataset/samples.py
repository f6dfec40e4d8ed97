"""Readable photos with their classes and their rows in the cache."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from training.dataset.digests import Digests
from training.dataset.layout import Photo

FEW = 2000
"""Photos below which all teach and judge in turn, where a head learns from features. From here on some are held out."""


@dataclass(frozen=True)
class Samples:
    """Readable photos of some splits, each with its class and its row in the cache.

    Attributes:
        rows: int64 [N], row of each photo in `pixels`.
        pixels: uint8 [rows, S, S, 3], memory-mapped.
        labels: int64 [N], class indices.
    """

    photos: tuple[Photo, ...]
    rows: NDArray[np.int64]
    hashes: Digests
    pixels: NDArray[np.uint8]

    @property
    def labels(self) -> NDArray[np.int64]:
        return np.fromiter((photo.label for photo in self.photos), np.int64, len(self.photos))

    def of(self, *splits: str) -> "Samples":
        """Select the photos of some splits."""
        return self.take([number for number, photo in enumerate(self.photos) if photo.split in splits])

    def take(self, numbers: Sequence[int] | NDArray[np.int64]) -> "Samples":
        """Select photos by index."""
        places = np.asarray(numbers, np.int64)
        photos = tuple(self.photos[number] for number in places)
        return replace(self, photos=photos, rows=self.rows[places], hashes=self.hashes.take(places))
