"""Decide where a photo goes: pure functions of what is known about it."""

from math import inf

import numpy as np
from numpy.typing import NDArray

from common.errors import PhotoError, Reason
from contract.labels import OTHER
from daemon.classify.classify import Answer
from daemon.classify.loaded_model import Rules
from daemon.photo import (
    DUPLICATES_FOLDER,
    FAILED_FOLDER,
    NOT_JUDGED,
    REVIEW_FOLDER,
    Embedding,
    Found,
    Judgement,
    Outcome,
    Read,
)
from daemon.review import Likeness, ReviewReason

CLOCKS_DIFFER_S = 86_400.0
"""How far the clock of a share's server may be off: a day, because some servers run with the wrong time zone."""
TOP = 5
"""How many of the most probable classes are kept for the ledger."""
FOLDERS = (FAILED_FOLDER, REVIEW_FOLDER, DUPLICATES_FOLDER)
"""Folders of the output that belong to no class."""


def decide(
    scores: NDArray[np.float32], likeness: Likeness | None, rules: Rules, embedding: Embedding | None = None
) -> Judgement:
    """Choose the most probable class, or review: for an unfamiliar photo, or one below the threshold of its class.

    A photo of the class `_other` is unfamiliar too, because that class learnt from pictures of no class.

    Args:
        scores: float32 [classes], adding up to one.
        likeness: of the photo; None for a model that does not tell.
        rules: of the model that gave the scores.
        embedding: of the photo, which goes with the judgement.
    """
    order = scores.argsort()[: -TOP - 1 : -1]
    probabilities = scores[order].tolist()
    best = int(scores.argmax())  # the first of equals, as in training
    label, probability = rules.labels[best], float(scores[best])
    threshold = rules.thresholds[label]
    outcome, folder, why, reason = Outcome.FILED, label, None, ""
    if likeness is not None and likeness.limit is not None and likeness.familiarity < likeness.limit:
        why, reason = ReviewReason.UNFAMILIAR, f"unfamiliar: {likeness}"
    elif label == OTHER:
        why, reason = ReviewReason.UNFAMILIAR, f"unfamiliar: {label} {probability:.2f}"
    elif probability < threshold:
        why, reason = ReviewReason.UNSURE, f"unsure: {label} {probability:.2f} is below {threshold:.2f}"
    if why is not None:
        outcome, folder = Outcome.REVIEW, REVIEW_FOLDER
    return Judgement(
        outcome, folder, reason, label, probability, threshold, likeness, why,
        top={rules.labels[n]: round(value, 6) for n, value in zip(order.tolist(), probabilities, strict=True)},
        model=rules.model, provider=rules.provider, embedding=embedding,
    )  # fmt: skip


def _likeness(answer: Answer, rules: Rules) -> Likeness | None:
    if answer.familiarity is None or answer.nearest is None:
        return None
    return Likeness(answer.familiarity, rules.labels[answer.nearest], rules.familiarity_limit)


def _embedding(values: NDArray[np.float32] | None, rules: Rules) -> Embedding | None:
    if values is None:
        return None
    with np.errstate(over="ignore"):  # a value beyond float16 is none of an embedding, and readers leave that photo out
        return Embedding(rules.embeddings, values.astype("<f2").tobytes())


def decide_fault(fault: PhotoError, unchanged_s: float, rules: Rules) -> Judgement:
    """Choose what happens to a photo that cannot be read.

    These files stay in the inbox: files that are no photos, photos whose fault lies elsewhere, and files that are too
    large to read. A file that may still be growing is tried again until it has not changed for the time of the rules.
    """
    outcome, folder, reason = _of_fault(fault, unchanged_s, rules.give_up_after_s)
    again_within_s = max(0.05, rules.give_up_after_s - unchanged_s)
    if fault.reason is Reason.UNREADABLE:  # waiting does not help there, so `Retries` makes its tries rarer
        again_within_s = inf
    return Judgement(
        outcome, folder, reason, fault=fault, again_within_s=again_within_s, model=rules.model, provider=rules.provider
    )


def _of_fault(fault: PhotoError, unchanged_s: float, give_up_after_s: float) -> tuple[Outcome, str, str]:
    """Return outcome, folder and reason."""
    match fault.reason:
        case Reason.CHANGED:
            return Outcome.GONE, "", fault.detail
        case Reason.FOREIGN | Reason.UNSUPPORTED | Reason.FILE_TOO_LARGE:
            return Outcome.LEFT, "", fault.detail
        case Reason.UNREADABLE:
            return Outcome.AGAIN, "", fault.detail
        case Reason.UNJUDGED:  # the whole file was decoded, so it is not growing
            return Outcome.FAILED, FAILED_FOLDER, str(fault)
    if unchanged_s < give_up_after_s:
        until = f"tried again until it has not changed for {give_up_after_s:.0f} s"
        return Outcome.AGAIN, "", f"{fault.detail}; it may still be growing: {until}"
    return Outcome.FAILED, FAILED_FOLDER, str(fault)


def judge(found: Found, read: Read, answer: Answer | None, rules: Rules) -> Judgement:
    """Decide about a photo.

    Args:
        found: tells how long it has waited.
        read: what decoding has found.
        answer: the model's; None if there was nothing to classify.
        rules: of that model.

    Returns:
        `NOT_JUDGED` for a photo that a stop left unread.
    """
    if answer is not None and answer.scores is not None:
        return decide(answer.scores, _likeness(answer, rules), rules, _embedding(answer.embedding, rules))
    fault = read.fault if answer is None else answer.fault
    if fault is None:
        return NOT_JUDGED
    # Times on a share come from the server's clock, so only an age beyond any clock difference counts.
    unchanged_s = read.unchanged_s - (CLOCKS_DIFFER_S if found.on_share else 0.0)
    return decide_fault(fault, max(unchanged_s, found.waited_s), rules)
