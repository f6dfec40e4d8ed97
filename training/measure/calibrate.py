"""Calibrate probabilities, and choose the review threshold of each class, from honest answers."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from math import ceil, exp, log
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.measure.metrics import Floats, Ints, log_loss, softmax, wilson

_GOLDEN = (5**0.5 - 1) / 2
LEAST, MOST = 0.2, 5.0
"""Bounds of the temperature."""
CERTAINTY = 0.9
"""Certainty that the fewest answers give which can promise anything."""
FEW_RIGHT = 100
_Z, _Z_OF_FEW = 0.253347, 0.524401
"""Normal quantiles of 0.6 and, below FEW_RIGHT right answers, 0.7: levels of the one-sided lower bound of a precision.

Chosen on training photos that no head saw (docs/measurements.md): there the precision stays above 0.945 where 0.95 is
wanted, from 5 photos a class on. A higher level costs 2 to 5 points of coverage where photos are few.
"""
OWN = 1000
"""Answers that name a class from which it gets a threshold of its own."""
FOLDS = 5


def find_temperature(logits: Floats, true: Ints, least: float = LEAST, most: float = MOST) -> float:
    """Temperature with the smallest log loss on the validation photos, by golden-section search on its logarithm.

    Source: Guo et al., "On Calibration of Modern Neural Networks", 2017.
    """
    low, high = log(least), log(most)
    for _ in range(40):
        left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        if log_loss(true, softmax(logits, exp(left))) <= log_loss(true, softmax(logits, exp(right))):
            high = right
        else:
            low = left
    return exp((low + high) / 2)


@dataclass(frozen=True)
class Calibration:
    """What honest answers say about probabilities and review.

    Attributes:
        temperature: divisor of the logits.
        thresholds: review threshold of each label.
        wanted: the precision that was asked for.
        precision: precision expected above the thresholds; None if no photo passed them. It and `coverage` are measured
            on photos that chose nothing: thresholds from four fifths of the answers, measured on the other fifth.
        interval: its 95 % interval; None without precision.
            In all three each class counts alike.
        coverage: expected share of photos that pass.
        sentences: what the reader has to know besides.
    """

    temperature: float
    thresholds: dict[str, float]
    wanted: float
    precision: float | None
    interval: tuple[float, float] | None
    coverage: float
    sentences: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def calibrate(logits: Floats, true: Ints, labels: Sequence[str], precision: float) -> Calibration:
    """Choose temperature and thresholds, and measure on photos that chose nothing what they hold.

    Args:
        logits: [N, classes], of models that have not learnt from the photo, N > 0.
        true: class index of each photo, [N].
        precision: share of right answers wanted above the thresholds.
    """
    temperature = find_temperature(logits, true)
    thresholds = _thresholds(softmax(logits, temperature), true, precision)
    passes, weights = _cross_fitted(logits, true, precision), _even(true)
    share, interval = _reached((logits.argmax(axis=1) == true)[passes], weights[passes])
    return Calibration(
        temperature,
        dict(zip(labels, thresholds.tolist(), strict=True)),
        precision,
        share,
        interval,
        float(weights[passes].sum() / len(true)),
        tuple(_warnings(logits, true, temperature, precision)),
    )


def least_right(precision: float) -> int:
    """Right answers without a mistake that are needed to promise a precision with CERTAINTY: 45 for 0.95."""
    return ceil(log(1 - CERTAINTY) / log(precision)) if 0 < precision < 1 else 1


def _warnings(logits: Floats, true: Ints, temperature: float, precision: float) -> Iterator[str]:
    right = int((logits.argmax(axis=1) == true).sum())
    if right < least_right(precision):
        yield (
            f"{right} right answers cannot promise a precision of {precision:g}, because that takes"
            f" {least_right(precision)}. The thresholds are careful guesses; add photos."
        )
    elif not _reaches(softmax(logits, temperature), true, precision):
        yield f"No threshold promises a precision of {precision:g} here, so the safest was taken; add photos."
    if not LEAST * 1.01 < temperature < MOST / 1.01:
        yield f"The temperature stands at its bound ({temperature:.2g}), so the probabilities are not calibrated."


def _even(true: Ints) -> Floats:
    """Weight of each answer, mean 1, by which each class counts alike, as it does for the head (`fit_head`).

    Otherwise a precision that large classes reach would be promised for small ones, too.
    """
    counts = np.bincount(true)
    return np.asarray(len(true) / (np.count_nonzero(counts) * counts[true]))


def _reached(right: NDArray[np.bool_], weights: Floats) -> tuple[float | None, tuple[float, float] | None]:
    """Precision of weighted answers, and its interval; None without answers."""
    if not len(right):
        return None, None
    share = float(np.average(right, weights=weights))
    count = float(weights.sum() ** 2 / (weights**2).sum())
    return share, wilson(share * count, count)


def _cross_fitted(logits: Floats, true: Ints, precision: float) -> NDArray[np.bool_]:
    """Whether each photo passes where other photos chose temperature and thresholds."""
    fold = np.random.default_rng(0).permutation(len(true)) % FOLDS
    passes = np.zeros(len(true), bool)
    for number in range(FOLDS if len(true) >= FOLDS else 0):
        chose, measured = fold != number, fold == number
        temperature = find_temperature(logits[chose], true[chose])
        thresholds = _thresholds(softmax(logits[chose], temperature), true[chose], precision)
        given = softmax(logits[measured], temperature)
        passes[measured] = given.max(axis=1) >= thresholds[given.argmax(axis=1)]
    return passes


def _reaches(probabilities: Floats, true: Ints, precision: float) -> bool:
    right = probabilities.argmax(axis=1) == true
    places = _places(probabilities.max(axis=1), right, _even(true), precision, _z_of(right))
    return bool(places.promised.any())


def _z_of(right: NDArray[np.bool_]) -> float:
    return _Z if int(right.sum()) >= FEW_RIGHT else _Z_OF_FEW


def _thresholds(probabilities: Floats, true: Ints, precision: float) -> NDArray[np.float64]:
    """Threshold of each class, [classes]: its own where OWN answers name it, otherwise one that all answers chose."""
    predicted, top = probabilities.argmax(axis=1), probabilities.max(axis=1)
    right, weights = predicted == true, _even(true)
    z = _z_of(right)
    counts = np.bincount(predicted, minlength=probabilities.shape[1])
    found = np.where(counts > 0, _safe(top, right, weights, precision, z), 1.0)  # never predicted: never trusted
    for label in np.flatnonzero(counts >= OWN):
        own = predicted == label
        found[label] = _safe(top[own], right[own], weights[own], precision, z)
    return np.asarray(found)


def _safe(top: Floats, right: NDArray[np.bool_], weights: Floats, precision: float, z: float) -> float:
    """The smallest threshold that promises `precision`.

    If none does: the one with the best bound of those where the probabilities promise it, or the highest probability.
    """
    places = _places(top, right, weights, precision, z)
    good = np.flatnonzero(places.promised)
    place = good[-1] if len(good) else np.where(places.likely, places.bounds, 0.0).argmax()
    return float(np.floor(places.values[place] * 1e6) / 1e6)


@dataclass(frozen=True)
class _Places:
    """Where a threshold may lie.

    Attributes:
        values: probabilities in falling order.
        bounds: lower bound (Wilson) of the precision of all photos from each upwards.
        likely: whether the mean probability of these photos reaches the wanted precision. Of few photos all can be
            right by luck; their probabilities, which all answers have calibrated, then say less.
        promised: whether the bound reaches it, too.
    """

    values: Floats
    bounds: Floats
    likely: NDArray[np.bool_]
    promised: NDArray[np.bool_]


def _places(top: Floats, right: NDArray[np.bool_], weights: Floats, precision: float, z: float) -> _Places:
    order = np.argsort(-top, kind="stable")
    top, right, weights = top[order], right[order], weights[order]
    total = np.cumsum(weights)
    share, mean = np.cumsum(weights * right) / total, np.cumsum(weights * top) / total
    count = total**2 / np.cumsum(weights**2)  # answers of equal weight that would tell as much (Kish, 1965)
    spread = z * np.sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2)
    low = (share + z * z / (2 * count) - spread) / (1 + z * z / count)
    # Photos with equal probability pass or fail together, so only the last of each run counts.
    ends = np.append(np.flatnonzero(np.diff(top)), len(top) - 1)
    bounds, likely = low[ends], mean[ends] >= precision
    return _Places(top[ends], bounds, likely, likely & (bounds >= precision))
