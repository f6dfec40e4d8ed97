"""Decide where a photo goes: pure functions of what is known about it."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from common.errors import PhotoError, Reason
from daemon.photo import DUPLICATES_FOLDER, FAILED_FOLDER, REVIEW_FOLDER, Outcome, Photo, Rules

CLOCKS_DIFFER_S = 86_400.0
"""How far the clock of a share's server may be off: a day, because some servers run with the wrong time zone."""

STOPPED = "the daemon was stopped first"


FOLDERS = (FAILED_FOLDER, REVIEW_FOLDER, DUPLICATES_FOLDER)
"""Folders of the output that belong to no class."""


class Verdict(NamedTuple):
    """Where a photo goes.

    Attributes:
        outcome: filed, review or failed; left or again if the photo stays in the inbox.
        folder: name of the folder in the output; empty if the photo stays.
        label: the most probable class; empty if the photo could not be read.
        probability: of that class.
        reason: why the photo was not filed under its class.
    """

    outcome: Outcome
    folder: str
    label: str = ""
    probability: float = 0.0
    reason: str = ""


def review_thresholds(policy: str | float, labels: tuple[str, ...], stored: Mapping[str, float]) -> dict[str, float]:
    """Return, per label, the probability below which a photo goes to review.

    Args:
        policy: `off`, `auto` (the model's own thresholds, from its validation photos), or one probability for all.
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
    """Choose what happens to a photo that cannot be read.

    These files stay in the inbox: files that are no photos, photos whose fault lies elsewhere, and files that are too
    large to read. A file that may still be growing is tried again until it has not changed for `give_up_after_s`.
    """
    match fault.reason:
        case Reason.CHANGED:
            return Verdict(Outcome.GONE, "", reason=fault.detail)
        case Reason.FOREIGN | Reason.UNSUPPORTED | Reason.FILE_TOO_LARGE:
            return Verdict(Outcome.LEFT, "", reason=fault.detail)
        case Reason.UNREADABLE:
            return Verdict(Outcome.AGAIN, "", reason=fault.detail)
        case Reason.UNJUDGED:  # the whole file was decoded, so it is not growing
            return Verdict(Outcome.FAILED, FAILED_FOLDER, reason=str(fault))
    if unchanged_s < give_up_after_s:
        until = f"tried again until it has not changed for {give_up_after_s:.0f} s"
        return Verdict(Outcome.AGAIN, "", reason=f"{fault.detail}; it may still be growing: {until}")
    return Verdict(Outcome.FAILED, FAILED_FOLDER, reason=str(fault))


def judge(photo: Photo, rules: Rules) -> None:
    """Decide about a photo: fill in `outcome`, `folder`, `label`, `probability` and `reason`."""
    if photo.scores is not None:
        verdict = decide(photo.scores, rules.labels, rules.thresholds)
    elif photo.fault is not None:
        # Times on a share come from the server's clock, so only an age beyond any clock difference counts.
        unchanged_s = photo.unchanged_s - (CLOCKS_DIFFER_S if photo.on_share else 0.0)
        unchanged_s = max(unchanged_s, photo.waited_s)
        verdict = decide_fault(photo.fault, unchanged_s, rules.give_up_after_s)
        if (
            photo.fault.reason is not Reason.UNREADABLE
        ):  # waiting does not help there, so `Retries` makes its tries rarer
            photo.again_within_s = max(0.05, rules.give_up_after_s - unchanged_s)
    else:
        verdict = Verdict(Outcome.AGAIN, "", reason=photo.reason or STOPPED)
    photo.outcome, photo.folder, photo.reason = verdict.outcome, verdict.folder, verdict.reason
    photo.label, photo.probability = verdict.label, verdict.probability
