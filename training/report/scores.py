"""Figures of merit beyond accuracy: how well the probabilities rank, and whether they mean what they say."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.metrics import Floats, Ints, Metrics, measure, wilson

BINS = 15


@dataclass(frozen=True)
class Bin:
    """Photos whose highest probability lies within one fifteenth of 0 to 1: how sure, and how often right."""

    photos: int
    confidence: float
    accuracy: float

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the accuracy."""
        return wilson(round(self.accuracy * self.photos), self.photos)


@dataclass(frozen=True)
class Scores:
    """Everything that a report says in figures about one set of photos.

    calibration_error: mean distance between confidence and accuracy over `bins`, weighted by their photos (ECE).
    brier: mean squared distance between the probabilities and the truth, 0 to 2.
    macro_f1, macro_auc: means over the classes that have photos.
    auc: area under the ROC curve of each class against the rest; None where a class has no photos, or all.
    """

    metrics: Metrics
    calibration_error: float
    brier: float
    macro_f1: float
    macro_auc: float | None
    auc: tuple[float | None, ...]
    bins: tuple[Bin, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON: those of `training.metrics.Metrics` and these beside them."""
        own = {name: getattr(self, name) for name in ("calibration_error", "brier", "macro_f1", "macro_auc")}
        return self.metrics.to_dict() | own | {"auc": list(self.auc)}


@dataclass(frozen=True)
class ReviewCurve:
    """What is gained by sending the least sure photos to review.

    share: share of the photos sent, rising. precision: share of the others that are right; low, high: its 95 %
    interval. All float64 of one length.
    """

    share: NDArray[np.float64]
    precision: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def score(true: Ints, probabilities: Floats, labels: Sequence[str]) -> Scores:
    """Score predictions.

    Args:
        true: class index of each photo, [N], N > 0. probabilities: [N, classes]. labels: class names.
    """
    metrics = measure(true, probabilities, labels)
    auc = tuple(_auc(true == index, probabilities[:, index]) for index in range(len(labels)))
    known = [value for value in auc if value is not None]
    bins = reliability(true, probabilities)
    return Scores(
        metrics=metrics,
        calibration_error=sum(item.photos * abs(item.confidence - item.accuracy) for item in bins) / len(true),
        brier=brier(true, probabilities),
        macro_f1=float(np.mean([item.f1 for item in metrics.classes if item.photos])),
        macro_auc=float(np.mean(known)) if known else None,
        auc=auc,
        bins=bins,
    )


def _auc(of_class: NDArray[np.bool_], given: Floats) -> float | None:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(of_class, given)) if of_class.any() and not of_class.all() else None


def brier(true: Ints, probabilities: Floats) -> float:
    """Mean over photos of the squared distance to the truth, summed over classes: 0 is perfect, 2 surely wrong.

    Source: G. W. Brier, Monthly Weather Review 78, 1950.
    """
    own = probabilities[np.arange(len(true)), true].astype(np.float64)
    return float((np.square(probabilities.astype(np.float64)).sum(axis=1) - 2 * own + 1).mean())


def reliability(true: Ints, probabilities: Floats) -> tuple[Bin, ...]:
    """Photos by their highest probability, in 15 bins of equal width; empty ones are left out.

    Source of the bins and of the error over them: Naeini et al., AAAI 2015; 15 as in Guo et al., "On Calibration of
    Modern Neural Networks", 2017.
    """
    top = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == true
    place = np.clip(np.ceil(top * BINS).astype(np.int64) - 1, 0, BINS - 1)
    chosen = (place == number for number in range(BINS))
    return tuple(
        Bin(int(here.sum()), float(top[here].mean()), float(right[here].mean())) for here in chosen if here.any()
    )


def review_curve(true: Ints, probabilities: Floats, points: int = 200) -> ReviewCurve:
    """Send photos to review, the least sure first; photos of one confidence go together.

    Args:
        points: at most so many places of the curve are kept, evenly.
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


def sent_to_review(probabilities: Floats, thresholds: Sequence[float]) -> NDArray[np.bool_]:
    """Which photos a threshold per class sends to review: those less sure than that of the class they are taken for."""
    wanted = np.asarray(thresholds, np.float64)[probabilities.argmax(axis=1)]
    return np.asarray(probabilities.max(axis=1) < wanted)
