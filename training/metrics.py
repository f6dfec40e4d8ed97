"""Figures of merit: accuracy with its interval, precision and recall of each class, confusion, log loss."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class ClassMetrics:
    """One class: how many photos are of it, precision and recall from 0 to 1 (0 where undefined), and their F1."""

    label: str
    photos: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class Metrics:
    """What a model did on labelled photos.

    interval: 95 % confidence interval of the accuracy (Wilson). log_loss: mean of -ln(probability of the true class).
    confusion[t][p]: photos of class t that were taken for class p.
    """

    photos: int
    correct: int
    accuracy: float
    interval: tuple[float, float]
    log_loss: float
    classes: tuple[ClassMetrics, ...]
    confusion: tuple[tuple[int, ...], ...]

    def sentence(self, name: str = "photos") -> str:
        """The accuracy in words, with its interval."""
        low, high = self.interval
        return (
            f"Accuracy on the {self.photos} {name}: {self.accuracy:.4f} (95 % interval {low:.3f} to {high:.3f}),"
            f" {self.photos - self.correct} wrong."
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    def card(self) -> dict[str, Any]:
        """The same without the confusion matrix, which of two thousand classes would outgrow a model's metadata."""
        return {key: value for key, value in asdict(self).items() if key != "confusion"}


def measure(true: Ints, probabilities: Floats, labels: Sequence[str]) -> Metrics:
    """Measure predictions.

    Args:
        true: class index of each photo, [N], N > 0. probabilities: [N, classes]. labels: class names.
    """
    predicted = probabilities.argmax(axis=1)
    confusion = np.zeros((len(labels), len(labels)), np.int64)
    np.add.at(confusion, (true, predicted), 1)
    correct = int(np.trace(confusion))
    return Metrics(
        photos=len(true),
        correct=correct,
        accuracy=correct / len(true),
        interval=wilson(correct, len(true)),
        log_loss=log_loss(true, probabilities),
        classes=tuple(_of_class(confusion, index, label) for index, label in enumerate(labels)),
        confusion=tuple(tuple(map(int, row)) for row in confusion),
    )


def _of_class(confusion: Ints, index: int, label: str) -> ClassMetrics:
    hits = int(confusion[index, index])
    photos, taken = int(confusion[index].sum()), int(confusion[:, index].sum())
    f1 = 2 * hits / (photos + taken) if photos + taken else 0.0
    return ClassMetrics(label, photos, hits / taken if taken else 0.0, hits / photos if photos else 0.0, f1)


def wilson(correct: int, total: int, z: float = 1.959964) -> tuple[float, float]:
    """Confidence interval of a share, 95 % by default. Source: E. B. Wilson, JASA 22, 1927."""
    share = correct / total
    centre = share + z * z / (2 * total)
    spread = z * sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    scale = 1 + z * z / total
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def log_loss(true: Ints, probabilities: Floats) -> float:
    """Mean negative logarithm of the probability given to the true class; zeros count as 1e-15."""
    given = probabilities[np.arange(len(true)), true].astype(np.float64)
    return float(-np.log(np.clip(given, 1e-15, 1.0)).mean())


def softmax(logits: Floats, temperature: float = 1.0) -> NDArray[np.float64]:
    """Probabilities [N, classes] of logits divided by the temperature."""
    scaled = logits.astype(np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
