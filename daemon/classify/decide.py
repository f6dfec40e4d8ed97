"""What is to become of a photo: pure functions of what is known about it."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from contract.errors import PhotoError, Reason
from daemon.photo import Outcome

FAILED_FOLDER, REVIEW_FOLDER, DUPLICATES_FOLDER = "_failed", "_review", "_duplicates"
FOLDERS = (FAILED_FOLDER, REVIEW_FOLDER, DUPLICATES_FOLDER)
"""Folders of the output that are no class's."""


class Verdict(NamedTuple):
    """Where a photo goes.

    Attributes:
        outcome: filed, review, failed; or it stays: left, again.
        folder: name of the folder in the output, empty if it stays.
        label: the most probable class, empty if it could not be read.
        probability: of that class.
        reason: why it was not filed under its class.
    """

    outcome: Outcome
    folder: str
    label: str = ""
    probability: float = 0.0
    reason: str = ""


def review_thresholds(policy: str | float, labels: tuple[str, ...], stored: Mapping[str, float]) -> dict[str, float]:
    """Return the probability per label below which a photo wants review.

    Args:
        policy: `off`, `auto` (those that the model carries, from its validation photos), or one probability for all.
        labels: the model's.
        stored: the thresholds of its contract.
    """
    if policy == "off":
        return dict.fromkeys(labels, 0.0)
    if policy == "auto":
        return {label: stored.get(label, 0.0) for label in labels}
    return dict.fromkeys(labels, float(policy))


def decide(scores: NDArray[np.float32], labels: tuple[str, ...], thresholds: Mapping[str, float]) -> Verdict:
    """Choose the most probable class, or review where its probability is below the class's threshold.

    Args:
        scores: float32 [classes], adding up to one.
        labels: names in the order of `scores`.
        thresholds: from `review_thresholds`.
    """
    best = int(scores.argmax())
    label, probability = labels[best], float(scores[best])
    if probability < thresholds[label]:
        reason = f"{label} {probability:.2f} is below {thresholds[label]:.2f}"
        return Verdict(Outcome.REVIEW, REVIEW_FOLDER, label, probability, reason)
    return Verdict(Outcome.FILED, label, label, probability)


def decide_fault(fault: PhotoError, unchanged_s: float, give_up_after_s: float) -> Verdict:
    """Choose what becomes of a photo that cannot be read.

    What is not the photo's own fault, or none of ours, stays in the inbox, as does a file that is too large to be read.
    What may still be growing is tried again until it has not changed for `give_up_after_s`.
    """
    match fault.reason:
        case Reason.CHANGED:
            return Verdict(Outcome.GONE, "", reason=fault.detail)
        case Reason.FOREIGN | Reason.UNSUPPORTED | Reason.FILE_TOO_LARGE:
            return Verdict(Outcome.LEFT, "", reason=fault.detail)
        case Reason.UNREADABLE:
            return Verdict(Outcome.AGAIN, "", reason=fault.detail)
        case Reason.UNJUDGED:  # it was decoded whole, so it does not grow
            return Verdict(Outcome.FAILED, FAILED_FOLDER, reason=str(fault))
    if unchanged_s < give_up_after_s:
        return Verdict(
            Outcome.AGAIN,
            "",
            reason=f"{fault.detail}; it may still be growing, and has {give_up_after_s:.0f} s to change",
        )
    return Verdict(Outcome.FAILED, FAILED_FOLDER, reason=str(fault))
