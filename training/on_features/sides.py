"""Which photos a head learns from, which judge it, and which no head ever sees."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.dataset.prepare import PreparedData
from training.dataset.samples import FEW

NEVER_LEARNT = 1000
"""The most validation photos that are never learnt from: 1,000 photos tell a loss of 2 points."""
LARGEST_SHARE = 8
"""At most one photo in so many is never learnt from. Without an eighth of the photos a head is as good, on 1,432, 2,000
and 8,728 photos; without a fifth it loses up to a point (docs/measurements.md)."""
LEAST_PHOTOS = 300
"""Fewer photos cannot tell whether fine-tuning helps: it mends about 7 answers of 100 and spoils 4."""
TUNING_FOLDS = 3
"""Each fold costs a fine-tuning; more of them judge a network that is closer to the final one."""

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Sides:
    """Places of photos in the samples of a dataset.

    Attributes:
        labels: class of every sample, int64 [N].
        groups: number of its group of near copies, int64 [N].
        train, val, test: places of each split. Without validation photos, the training photos judge the heads that
            have not seen them.
        classes: number of classes.
    """

    labels: Ints
    groups: Ints
    train: Ints
    val: Ints
    test: Ints
    classes: int

    @property
    def judges(self) -> Ints:
        """The photos whose answers choose and calibrate."""
        return self.val if len(self.val) else self.train

    def never_learnt(self, seed: int) -> Ints:
        """Validation photos that no head ever learns from, in whole groups of near copies; none where photos are few.

        A later model is compared with this one on them, so they must be new to both.
        """
        photos = len(self.train) + len(self.val)
        if photos < FEW or not len(self.val):
            return self.val[:0]
        return self.drawn(self.val, min(NEVER_LEARNT, photos // LARGEST_SHARE), seed)

    def drawn(self, numbers: Ints, most: int, seed: int) -> Ints:
        """At most `most` of some photos, in whole groups of near copies and of each class its share, in their order."""
        if not len(numbers):
            return numbers
        _, first, member = np.unique(self.groups[numbers], return_index=True, return_inverse=True)
        kinds = self.labels[numbers[first]]
        mixed = np.random.default_rng((seed, len(numbers))).permutation(len(first))
        by_class = mixed[np.argsort(kinds[mixed], kind="stable")]
        counts = np.bincount(kinds)
        places = np.arange(len(first)) - (np.cumsum(counts) - counts)[kinds[by_class]]  # 0, 1, ... in each class
        order = by_class[np.argsort((places + 0.5) / counts[kinds[by_class]], kind="stable")]
        chosen = order[np.cumsum(np.bincount(member)[order]) <= most]
        return numbers[np.isin(member, chosen)]


def sides_of(prepared: PreparedData) -> Sides:
    """The sides of a prepared dataset."""
    samples = prepared.samples
    split = np.array([photo.split for photo in samples.photos])
    train, val, test = (np.flatnonzero(split == name) for name in ("train", "val", "test"))
    return Sides(samples.labels, prepared.groups, train, val, test, len(prepared.dataset.labels))
