"""Metrics: accuracy with its interval, metrics per class, ranking (AUC), and calibration."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.integer[Any]]

UNEVEN = 3
"""Where the largest class has more than so many times the photos of the smallest, accuracy hides the small ones."""
BINS = 15
BINNING = f"{BINS} bins of equal width over the highest probability"
_CARD_DIGITS = 6  # digits per class, because the metrics of two thousand classes must fit into the metadata of a model


@dataclass(frozen=True)
class ClassMetrics:
    """Metrics of one class: number of photos, precision and recall from 0 to 1 (0 if undefined), F1, and AUC.

    Attributes:
        auc: AUC of this class against the rest; None if the class or the rest has no photos.
    """

    label: str
    photos: int
    precision: float
    recall: float
    f1: float
    auc: float | None


@dataclass(frozen=True)
class Metrics:
    """Metrics of a model on labelled photos.

    Attributes:
        interval: 95 % confidence interval of the accuracy (Wilson).
        log_loss: mean of -ln(probability of the true class).
        calibration_error: mean distance between confidence and accuracy over bins, weighted by their photos (ECE).
        calibration_binning: description of those bins.
        brier: mean squared distance between probabilities and truth, 0 to 2.
        macro_precision, macro_recall, macro_f1: means over the classes that have photos.
        macro_auc: mean over the classes that have an AUC; None if none has.
        confusion: confusion[t][p] is the number of photos of class t that were predicted as class p.
    """

    photos: int
    correct: int
    accuracy: float
    interval: tuple[float, float]
    log_loss: float
    calibration_error: float
    calibration_binning: str
    brier: float
    macro_precision: float
    macro_recall: float
    macro_f1: float
    macro_auc: float | None
    classes: tuple[ClassMetrics, ...]
    confusion: tuple[tuple[int, ...], ...]

    def sentence(self, name: str = "photos") -> str:
        """The accuracy in words, with its interval; with the macro recall where classes differ much in size."""
        low, high = self.interval
        sizes = [item.photos for item in self.classes if item.photos]
        recall = f" Mean recall of the classes: {self.macro_recall:.4f}." if max(sizes) > UNEVEN * min(sizes) else ""
        return (
            f"Accuracy on the {self.photos} {name}: {self.accuracy:.4f} (95 % interval {low:.3f} to {high:.3f}),"
            f" {self.photos - self.correct} wrong.{recall}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    def card(self) -> dict[str, Any]:
        """Plain values without the confusion matrix, which would exceed the metadata of a model with 2,000 classes."""
        card = asdict(replace(self, confusion=()))  # removed first, to avoid copying it
        del card["confusion"]
        return card | {"classes": [_rounded(item) for item in card["classes"]]}


def _rounded(figures: dict[str, Any]) -> dict[str, Any]:
    return {name: round(value, _CARD_DIGITS) if isinstance(value, float) else value for name, value in figures.items()}


@dataclass(frozen=True)
class Bin:
    """One of 15 bins of the highest probability: mean confidence and accuracy of its photos."""

    photos: int
    confidence: float
    accuracy: float

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the accuracy."""
        return wilson(round(self.accuracy * self.photos), self.photos)


def compute_metrics(true: Ints, probabilities: Floats, labels: Sequence[str]) -> Metrics:
    """Measure predictions.

    Args:
        true: class index of each photo, [N], N > 0.
        probabilities: [N, classes].
        labels: class names.
    """
    confusion = np.zeros((len(labels), len(labels)), np.int64)
    np.add.at(confusion, (true, probabilities.argmax(axis=1)), 1)
    correct = int(np.trace(confusion))
    classes = tuple(
        _of_class(confusion, index, label, auc(true == index, probabilities[:, index]))
        for index, label in enumerate(labels)
    )
    held = [item for item in classes if item.photos]
    ranked = [item.auc for item in classes if item.auc is not None]
    return Metrics(
        photos=len(true),
        correct=correct,
        accuracy=correct / len(true),
        interval=wilson(correct, len(true)),
        log_loss=log_loss(true, probabilities),
        calibration_error=calibration_error(reliability(true, probabilities)),
        calibration_binning=BINNING,
        brier=brier(true, probabilities),
        macro_precision=_mean(item.precision for item in held),
        macro_recall=_mean(item.recall for item in held),
        macro_f1=_mean(item.f1 for item in held),
        macro_auc=_mean(ranked) if ranked else None,
        classes=classes,
        confusion=tuple(tuple(map(int, row)) for row in confusion),
    )


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


def _of_class(confusion: Ints, index: int, label: str, area: float | None) -> ClassMetrics:
    hits = int(confusion[index, index])
    photos, taken = int(confusion[index].sum()), int(confusion[:, index].sum())
    f1 = 2 * hits / (photos + taken) if photos + taken else 0.0
    return ClassMetrics(label, photos, hits / taken if taken else 0.0, hits / photos if photos else 0.0, f1, area)


def auc(of_class: NDArray[np.bool_], given: Floats) -> float | None:
    """Area under the ROC curve: probability that a photo of the class ranks above one of the rest; a tie counts half.

    Source: J. A. Hanley, B. J. McNeil, Radiology 143, 1982, by the rank statistic of Mann and Whitney, 1947.

    Args:
        of_class: which photos belong to the class, [N].
        given: predicted probability of the class, [N].
    """
    inside, rest = given[of_class], np.sort(given[~of_class])
    if not len(inside) or not len(rest):
        return None
    below, not_above = np.searchsorted(rest, inside, "left"), np.searchsorted(rest, inside, "right")
    return float((below.mean() + not_above.mean()) / (2 * len(rest)))


def reliability(true: Ints, probabilities: Floats) -> tuple[Bin, ...]:
    """Group photos by their highest probability into 15 bins of equal width; empty bins are left out.

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


def calibration_error(bins: Sequence[Bin]) -> float:
    """Mean distance between confidence and accuracy over bins, weighted by photos (sources: `reliability`)."""
    gaps = (item.photos * abs(item.confidence - item.accuracy) for item in bins)
    return sum(gaps) / sum(item.photos for item in bins)


def brier(true: Ints, probabilities: Floats) -> float:
    """Mean squared distance to the truth, summed over classes: 0 is perfect, 2 is certainly wrong.

    Source: G. W. Brier, Monthly Weather Review 78, 1950.
    """
    own = probabilities[np.arange(len(true)), true].astype(np.float64)
    return float((np.square(probabilities.astype(np.float64)).sum(axis=1) - 2 * own + 1).mean())


def wilson(correct: float, total: float, z: float = 1.959964) -> tuple[float, float]:
    """Confidence interval of a share, 95 % by default. Source: E. B. Wilson, JASA 22, 1927."""
    share = correct / total
    centre = share + z * z / (2 * total)
    spread = z * sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    scale = 1 + z * z / total
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def log_loss(true: Ints, probabilities: Floats) -> float:
    """Mean negative logarithm of the probability of the true class; zeros count as 1e-15."""
    given = probabilities[np.arange(len(true)), true].astype(np.float64)
    return float(-np.log(np.clip(given, 1e-15, 1.0)).mean())


def softmax(logits: Floats, temperature: float = 1.0) -> NDArray[np.float64]:
    """Probabilities [N, classes] of logits divided by the temperature."""
    scaled = logits.astype(np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
