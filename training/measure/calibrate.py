"""Calibrate probabilities, and choose the review threshold of each class, on validation photos."""

from collections.abc import Sequence
from math import exp, log

import numpy as np

from training.measure.metrics import Floats, Ints, log_loss, softmax

_GOLDEN = (5**0.5 - 1) / 2


def find_temperature(logits: Floats, true: Ints, least: float = 0.2, most: float = 5.0) -> float:
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


def find_thresholds(probabilities: Floats, true: Ints, labels: Sequence[str], precision: float) -> dict[str, float]:
    """Per class, the smallest threshold above which the validation photos predicted as this class reach `precision`.

    If no threshold reaches it, the one with the best precision is used, and among equals the smallest. A class that is
    never predicted gets 1.0, because its precision is unknown.
    """
    predicted = probabilities.argmax(axis=1)
    top = probabilities.max(axis=1)
    return {
        label: _threshold(top[predicted == index], true[predicted == index] == index, precision)
        for index, label in enumerate(labels)
    }


def _threshold(top: Floats, right: np.ndarray[tuple[int], np.dtype[np.bool_]], precision: float) -> float:
    if not len(top):
        return 1.0
    order = np.argsort(-top, kind="stable")
    reached = np.cumsum(right[order]) / np.arange(1, len(top) + 1)
    # Photos with equal probability pass or fail together, so only the last of each run counts.
    ends = np.append(np.flatnonzero(np.diff(top[order])), len(top) - 1)
    good = ends[reached[ends] >= precision]
    chosen = good[-1] if len(good) else ends[reached[ends] >= reached[ends].max()][-1]
    if chosen == len(top) - 1 and len(good):
        return 0.0  # all photos reach the precision, so none needs a review
    return float(np.clip(np.floor(top[order][chosen] * 1e6) / 1e6, 0.0, 1.0))
