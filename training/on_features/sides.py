"""Which photos a head learns from, which judge it, and which no head ever sees."""

from dataclasses import dataclass, field, replace

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
        held_out: photos to validate that a person's label holds out, and near copies of them: no head learns from them.
    """

    labels: Ints
    groups: Ints
    train: Ints
    val: Ints
    test: Ints
    classes: int
    held_out: Ints = field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def judges(self) -> Ints:
        """The photos whose answers choose and calibrate."""
        return self.val if len(self.val) else self.train

    def never_learnt(self, seed: int) -> Ints:
        """Validation photos that no head ever learns from, in whole groups of near copies.

        A later model is compared with this one on them, so they must be new to both. Where photos are few, only
        labelled photos that are held out are among them.
        """
        photos = len(self.train) + len(self.val)
        most = min(NEVER_LEARNT, photos // LARGEST_SHARE) if photos >= FEW else 0
        others = np.setdiff1d(self.val, self.held_out)
        return np.union1d(self.held_out, self.drawn(others, max(0, most - len(self.held_out)), seed))

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
    found = Sides(samples.labels, prepared.groups, train, val, test, len(prepared.dataset.labels))
    held_out = val[np.isin(found.groups[val], found.groups[val[prepared.held_out[val]]])]
    kept = found.drawn(held_out, NEVER_LEARNT, 0)  # those that are too many for a model's memory judge nothing
    return replace(found, val=np.setdiff1d(val, np.setdiff1d(held_out, kept)), held_out=kept)
