"""What is to become of a photo: pure functions of what is known about it."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from contract.errors import PhotoError, Reason
from daemon.photo import DUPLICATES_FOLDER, FAILED_FOLDER, REVIEW_FOLDER, Outcome, Photo, Rules

CLOCKS_DIFFER_S = 86_400.0
"""How far the clock of a share's server may be from ours: a day, for some take another zone for theirs."""

STOPPED = "the daemon was stopped first"


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


def judge(photo: Photo, rules: Rules) -> None:
    """Fill in what is to become of a photo: `outcome`, `folder`, `label`, `probability`, `reason`."""
    if photo.scores is not None:
        verdict = decide(photo.scores, rules.labels, rules.thresholds)
    elif photo.fault is not None:
        # By another machine's clock, only what is past doubt counts.
        unchanged_s = photo.unchanged_s - (CLOCKS_DIFFER_S if photo.on_share else 0.0)
        unchanged_s = max(unchanged_s, photo.waited_s)
        verdict = decide_fault(photo.fault, unchanged_s, rules.give_up_after_s)
        if photo.fault.reason is not Reason.UNREADABLE:  # which no time mends: its tries just get rarer
            photo.again_within_s = max(0.05, rules.give_up_after_s - unchanged_s)
    else:
        verdict = Verdict(Outcome.AGAIN, "", reason=photo.reason or STOPPED)
    photo.outcome, photo.folder, photo.reason = verdict.outcome, verdict.folder, verdict.reason
    photo.label, photo.probability = verdict.label, verdict.probability
