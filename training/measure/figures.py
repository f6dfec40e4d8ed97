"""The figures of one side's photos as a run folder or a model file states them, without the photos."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from training.measure.metrics import UNEVEN

AVERAGES = ("precision", "recall", "f1", "auc")


@dataclass(frozen=True)
class SplitFigures:
    """What a run says of the photos of one side. precision to auc: means over the classes; None where it is silent.

    Attributes:
        calibration_error: as in `Metrics`; None where it is silent.
        classes: each with label, photos, precision, recall, f1 and auc.
    """

    photos: int
    accuracy: float
    interval: tuple[float, float]
    log_loss: float
    precision: float | None = None
    recall: float | None = None
    f1: float | None = None
    auc: float | None = None
    calibration_error: float | None = None
    classes: tuple[Mapping[str, Any], ...] = ()

    @property
    def uneven(self) -> bool:
        """Whether the classes differ so much in size that macro recall stands beside the accuracy."""
        sizes = [item["photos"] for item in self.classes if item["photos"]]
        return len(sizes) > 1 and max(sizes) > UNEVEN * min(sizes)


def read_figures(card: Mapping[str, Any]) -> SplitFigures:
    """Read what `Metrics.card` wrote.

    Raises:
        KeyError, TypeError, ValueError: the figures are damaged.
    """
    low, high = map(float, card["interval"])
    return SplitFigures(
        photos=int(card["photos"]),
        accuracy=float(card["accuracy"]),
        interval=(low, high),
        log_loss=float(card["log_loss"]),
        calibration_error=card.get("calibration_error"),
        classes=tuple(card["classes"]),
        **{name: card.get(f"macro_{name}") for name in AVERAGES},
    )
