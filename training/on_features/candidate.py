"""A candidate: features, a head on them, and its answers on photos that it has not learnt from."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.fit.regression import FOLDS, Fit, LinearHead, best_c, choose_c, fit_head, folds, out_of_fold
from training.measure.learning_curve import share_of
from training.measure.metrics import Floats
from training.network.broad_network import unit_length
from training.on_features.sides import Ints, Sides

MOST_PHOTOS = 100_000
"""The most photos that a head learns from: a linear layer is well determined by them, and 1 GB holds their features."""


@dataclass(frozen=True)
class Candidate:
    """A way to classify.

    Attributes:
        parts: float32 [N, F] for each part of the features, which are used at unit length, side by side.
        c: inverse strength of the L2 penalty.
        honest: logits float32 [judges, classes] of heads that have not learnt from the photo.
        taught: the head that has learnt from the training photos; None if there was no need for it so far.
        fitted_by: fits a head of the candidate.
    """

    parts: tuple[NDArray[np.float32], ...]
    c: float
    honest: Floats
    taught: LinearHead | None = None
    fitted_by: Fit = fit_head

    def rows(self, numbers: Ints) -> NDArray[np.float32]:
        """Features of some photos, float32 [n, sum of F]."""
        return rows_of(self.parts, numbers)

    def fit(self, sides: Sides, numbers: Ints, seed: int) -> LinearHead:
        """A head that has learnt from these photos."""
        if self.taught is not None and np.array_equal(numbers, sides.train):
            return self.taught
        chosen = most(sides, numbers, seed)
        return self.fitted_by(self.rows(chosen), sides.labels[chosen], sides.classes, self.c)

    def right(self, sides: Sides) -> NDArray[np.bool_]:
        """Whether each judging photo is answered rightly."""
        answers: NDArray[np.bool_] = self.honest.argmax(axis=1) == sides.labels[sides.judges]
        return answers


def rows_of(parts: Sequence[NDArray[np.float32]], numbers: Ints) -> NDArray[np.float32]:
    """Unit-length features of some photos, part beside part."""
    return np.hstack([unit_length(np.asarray(part[numbers])) for part in parts])


def most(sides: Sides, numbers: Ints, seed: int) -> Ints:
    """At most about MOST_PHOTOS of these photos, of each class alike, drawn by seed, in their order."""
    if len(numbers) <= MOST_PHOTOS:
        return numbers
    return share_of(sides.labels, numbers, MOST_PHOTOS / len(numbers), seed)


def on_broad(features: NDArray[np.float32], sides: Sides, seed: int) -> Candidate:
    """The candidate on broad features: C by out-of-fold log loss over the training photos."""
    train = most(sides, sides.train, seed)
    rows, labels, groups = rows_of([features], train), sides.labels[train], sides.groups[train]
    c = choose_c(rows, labels, groups, sides.classes)
    head = fit_head(rows, labels, sides.classes, c)
    if len(sides.val):
        logits = head.logits(rows_of([features], sides.val))
    else:
        logits = out_of_fold(rows, labels, folds(labels, groups, FOLDS), sides.classes, c)
    return Candidate((features,), c, logits, head)


def on_both(task: NDArray[np.float32], broad: NDArray[np.float32], sides: Sides, seed: int) -> Candidate:
    """The candidate on [task | broad] features.

    C comes from the validation photos: the network was tuned on the training photos, so answers on them are too good.
    """
    train, val = most(sides, sides.train, seed), sides.val
    rows, judged = rows_of([task, broad], train), rows_of([task, broad], val)
    heads: dict[float, LinearHead] = {}

    def answer(c: float) -> NDArray[np.float32]:
        heads[c] = fit_head(rows, sides.labels[train], sides.classes, c)
        return heads[c].logits(judged)

    c, logits = best_c(answer, sides.labels[val])
    return Candidate((task, broad), c, logits, heads[c])
