"""How sure an audited accuracy is: Wilson's interval of a stratified sample, and how many answers part two of them.

The share of a stratified sample is the mean of the strata's shares, weighted by their sizes. Its interval is Wilson's
with the effective sample size in place of the sample's: Franco, Little, Louis and Slud, Journal of Survey Statistics
and Methodology 7(3), 2019, find it to cover best at small samples (https://pmc.ncbi.nlm.nih.gov/articles/PMC6690503).
The effective size is Kish's, (sum of weights)^2 / (sum of their squares): unlike an estimated variance it does not
become infinite when all answers are right.
"""

from collections.abc import Iterable
from math import ceil, sqrt
from typing import NamedTuple

Z = 1.959964
"""Quantile of the normal distribution for 95 %."""
MOST = 10_000_000
"""Effective answers above which no number is told."""


class Stratum(NamedTuple):
    """Answers about a part of the photos.

    Attributes:
        photos: how many each answer stands for; the weight.
        answered: how many were answered.
        right: how often the answer was the model's.
    """

    photos: float
    answered: int
    right: int


class Share(NamedTuple):
    """A share, and between which bounds it lies with 95 %.

    Attributes:
        value: the share; 0 if nothing was answered.
        low: lower bound.
        high: upper bound.
        effective: answers of a plain random sample that would tell as much.
    """

    value: float
    low: float
    high: float
    effective: float

    def at(self, effective: float) -> "Share":
        """Return the same share of a larger or smaller sample."""
        return Share(self.value, *wilson(self.value, effective), effective)


def wilson(share: float, answers: float) -> tuple[float, float]:
    """Return the bounds of Wilson's 95 % interval.

    Args:
        share: of the sample.
        answers: size of the sample, perhaps an effective one; 0 tells nothing.
    """
    if answers <= 0:
        return 0.0, 1.0
    square = Z * Z / answers
    middle = share + square / 2
    width = Z * sqrt(share * (1 - share) / answers + square / (4 * answers))
    return max(0.0, (middle - width) / (1 + square)), min(1.0, (middle + width) / (1 + square))


def share_of(strata: Iterable[Stratum]) -> Share:
    """Return the share of right answers over all photos; strata without an answer weigh nothing."""
    known = [one for one in strata if one.answered]
    photos = sum(one.photos * one.answered for one in known)
    if not photos:
        return Share(0.0, 0.0, 1.0, 0.0)
    value = sum(one.photos * one.right for one in known) / photos
    effective = photos**2 / sum(one.photos**2 * one.answered for one in known)
    return Share(value, *wilson(value, effective), effective)


def are_apart(one: Share, other: Share) -> bool:
    """Tell whether the intervals of two shares have nothing in common."""
    return one.low > other.high or other.low > one.high


def size_that_parts(one: Share, other: Share) -> int | None:
    """Return how many effective answers both need for their intervals to part, if their shares stay as they are.

    The one that has more already keeps them.

    Returns:
        The number; None if the shares are equal, or if it would be more than `MOST`.
    """

    def _part(size: int) -> bool:
        return are_apart(*(share.at(max(share.effective, size)) for share in (one, other)))

    if not _part(MOST):
        return None
    low, high = 0, MOST
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _part(middle) else (middle, high)
    return ceil(high)
