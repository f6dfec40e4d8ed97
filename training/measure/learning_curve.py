"""The learning curve: how often a head is right that has learnt from a share of the photos."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.measure.metrics import Floats, Ints, wilson

SHARES = (0.25, 0.5)

Answer = Callable[[Floats], Floats]
"""Features [N, F] to logits [N, classes], by a fitted head."""
Fit = Callable[[Floats, Ints], Answer]
"""Fit a head to features [N, F] and labels [N]."""


@dataclass(frozen=True)
class CurvePoint:
    """Accuracy after learning from a share of the photos.

    Attributes:
        share: of the photos of each class.
        photos: learnt from; the mean of several folds.
        accuracy: on photos that were not learnt from.
        interval: its 95 % interval (Wilson, 1927).
    """

    share: float
    photos: int
    accuracy: float
    interval: tuple[float, float]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {**asdict(self), "interval": list(self.interval)}


def learning_curve(
    features: Floats, labels: Ints, folds: Sequence[tuple[Ints, Ints]], fit: Fit, seed: int, whole: NDArray[np.bool_]
) -> list[CurvePoint]:
    """Measure a head that learns from 25 and 50 % of the photos of each class, beside one that has learnt from all.

    The smaller share is part of the larger one, and all are measured on the same photos.

    Args:
        features: [N, F]; only the rows that a fold names are read.
        labels: class of each photo, [N].
        folds: (places to learn from, places held) of held-out photos, or of each fold of a cross-validation.
        fit: fits a head.
        seed: of the choice of photos.
        whole: whether each held photo is answered rightly by the head that has learnt from all others.
    """
    some = [_point(features, labels, folds, fit, seed, share) for share in SHARES]
    return [*some, _measured(1.0, [len(learnt) for learnt, _ in folds], int(whole.sum()), len(whole))]


def _point(
    features: Floats, labels: Ints, folds: Iterable[tuple[Ints, Ints]], fit: Fit, seed: int, share: float
) -> CurvePoint:
    sizes, right, held_photos = [], 0, 0
    for learnt, held in folds:
        some = share_of(labels, learnt, share, seed)
        answers = fit(features[some], labels[some])(features[held])
        sizes.append(len(some))
        right += int((answers.argmax(axis=1) == labels[held]).sum())
        held_photos += len(held)
    return _measured(share, sizes, right, held_photos)


def _measured(share: float, sizes: Sequence[int], right: int, held: int) -> CurvePoint:
    return CurvePoint(share, round(float(np.mean(sizes))), right / held, wilson(right, held))


def share_of(labels: Ints, places: Ints, share: float, seed: int) -> NDArray[np.int64]:
    """A share of the places, of each class alike and at least one, in their order."""
    mixed = np.random.default_rng(seed).permutation(places)
    chosen = []
    for label in np.unique(labels[places]):
        own = mixed[labels[mixed] == label]
        chosen.append(own[: ceil(share * len(own))])
    return np.sort(np.concatenate(chosen)).astype(np.int64)
