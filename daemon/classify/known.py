"""People's word wins: what a person said of a photo, or of nearly the same one, goes before what the model says."""

from dataclasses import replace

from contract.labels import OTHER
from daemon.photo import REVIEW_FOLDER, Found, Judgement, Outcome, Read
from daemon.review import ReviewReason
from daemon.words.word import Known
from daemon.words.words import Words

SURE = 0.9
"""Probability beyond which the model is not contradicted by a photo that is only nearly the same."""


def heed(judgement: Judgement, found: Found, read: Read, words: Words) -> Judgement:
    """Return the judgement with the folder that a person chose, if one did; what the model answered stays in it.

    A photo of nearly equal pixels is worth less than one of equal bytes. So it decides only where the model sends the
    photo to review, or has its class in the second place, and never where the model is sure of another class.

    Args:
        judgement: by a model.
        found: tells the name.
        read: with the pixels that the model got.
        words: of people.
    """
    if not judgement.label:  # the model could not say anything of it, so it fails or waits
        return judgement
    known = words.of_content(read.sha256) or _of_like(judgement, found, read, words)
    if known is None:
        return judgement
    if known.label == OTHER:
        outcome, folder, why = Outcome.REVIEW, REVIEW_FOLDER, ReviewReason.UNFAMILIAR
        return replace(judgement, outcome=outcome, folder=folder, review_reason=why, reason=str(known), said=OTHER)
    folder = known.label
    return replace(
        judgement, outcome=Outcome.FILED, folder=folder, review_reason=None, reason=str(known), said=known.label
    )


def _of_like(judgement: Judgement, found: Found, read: Read, words: Words) -> Known | None:
    in_review, is_sure = judgement.outcome is Outcome.REVIEW, judgement.probability > SURE
    if read.pixels is None or judgement.embedding is None or (is_sure and not in_review):
        return None
    known = words.of_like(read.pixels, judgement.embedding, read.taken, found.path.name)
    if known is None or (is_sure and known.label != judgement.label):
        return None
    return known if in_review or known.label == _second(judgement) else None


def _second(judgement: Judgement) -> str:
    return next(iter([label for label in judgement.top if label != judgement.label]), "")
