"""Scores of a report: metrics, reliability bins, and the effect of a review."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.measure.metrics import Bin, Floats, Ints, Metrics, compute_metrics, reliability, wilson


@dataclass(frozen=True)
class Scores:
    """Metrics of one set of photos, and the bins of their calibration error."""

    metrics: Metrics
    bins: tuple[Bin, ...]

    @property
    def calibration_error(self) -> float:
        return self.metrics.calibration_error

    @property
    def macro_f1(self) -> float:
        return self.metrics.macro_f1

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return self.metrics.to_dict()


@dataclass(frozen=True)
class ReviewCurve:
    """Effect of sending the least certain photos to review.

    Attributes:
        share: share of the photos sent, rising.
        precision: share of the others that are right.
        low, high: its 95 % interval. All float64 of one length.
    """

    share: NDArray[np.float64]
    precision: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def score(true: Ints, probabilities: Floats, labels: Sequence[str]) -> Scores:
    """Score predictions.

    Args:
        true: class index of each photo, [N], N > 0.
        probabilities: [N, classes].
        labels: class names.
    """
    return Scores(compute_metrics(true, probabilities, labels), reliability(true, probabilities))


def review_curve(true: Ints, probabilities: Floats, points: int = 200) -> ReviewCurve:
    """Simulate sending photos to review, the least certain first; photos of equal confidence go together.

    Args:
        points: most points of the curve, evenly spaced.
    """
    top = probabilities.max(axis=1)
    order = np.argsort(-top, kind="stable")
    right = np.cumsum(probabilities.argmax(axis=1)[order] == true[order])
    ends = np.append(np.flatnonzero(np.diff(top[order])), len(top) - 1)
    if len(ends) > points:
        ends = ends[np.unique(np.linspace(0, len(ends) - 1, points).round().astype(np.int64))]
    ends = ends[::-1]
    bounds = np.array([wilson(int(right[end]), int(end) + 1) for end in ends])
    return ReviewCurve(1 - (ends + 1) / len(top), right[ends] / (ends + 1), bounds[:, 0], bounds[:, 1])


def pr_curve(of_class: NDArray[np.bool_], given: Floats, points: int = 200) -> list[tuple[float, float]]:
    """(recall, precision) of one class at each probability from which a photo counts as the class, the highest first.

    Args:
        of_class: whether each photo is of the class, [N], at least one.
        given: its probability of the class, [N].
        points: most points of the curve, evenly spaced.
    """
    order = np.argsort(-given, kind="stable")
    found = np.cumsum(of_class[order])
    ends = np.append(np.flatnonzero(np.diff(given[order])), len(given) - 1)
    ends = ends[: int(np.searchsorted(found[ends], found[-1])) + 1]  # all are found: lower ones only cost precision
    if len(ends) > points:
        ends = ends[np.unique(np.linspace(0, len(ends) - 1, points).round().astype(np.int64))]
    recall, precision = found[ends] / found[-1], found[ends] / (ends + 1)
    return list(zip(recall.tolist(), precision.tolist(), strict=True))


def calibration_noise(bins: Sequence[Bin]) -> float:
    """The calibration error that chance alone gives to probabilities that are true, from the photos in each bin."""
    photos = sum(item.photos for item in bins)
    spread = sum((item.photos * item.confidence * (1 - item.confidence)) ** 0.5 for item in bins)
    return float((2 / pi) ** 0.5 * spread / photos)  # the mean distance of a normal value is sqrt(2 / pi) deviations


def sent_to_review(probabilities: Floats, thresholds: Sequence[float]) -> NDArray[np.bool_]:
    """Which photos go to review: those below the threshold of their predicted class."""
    wanted = np.asarray(thresholds, np.float64)[probabilities.argmax(axis=1)]
    return np.asarray(probabilities.max(axis=1) < wanted)
