"""Why a photo goes to review instead of a class: it is unfamiliar, or the model is unsure of its class."""

from enum import StrEnum
from typing import NamedTuple


class ReviewReason(StrEnum):
    """Why a photo goes to review; the first that holds."""

    UNFAMILIAR = "unfamiliar"
    """It is unlike the photos that the model has learnt from, or like the pictures of its class `_other`."""
    UNSURE = "unsure"
    """The probability of its class is below the threshold of that class."""


class Likeness(NamedTuple):
    """How like the photos that a model has learnt from a photo is.

    Attributes:
        familiarity: how like what the model has learnt from, at most 1.
        nearest: the class of the nearest centre.
        limit: familiarity below which the photo is unfamiliar; None if that is not asked.
    """

    familiarity: float
    nearest: str
    limit: float | None

    def __str__(self) -> str:
        if self.limit is None:
            return f"{self.familiarity:.2f}, nearest to {self.nearest}"
        digits = 2 if abs(self.familiarity - self.limit) >= 0.01 else 4  # else both may read as the same number
        return f"{self.familiarity:.{digits}f}, nearest to {self.nearest}; the limit is {self.limit:.{digits}f}"
