"""The head that learns from pseudo-labels, too, and whether it answers worse than the head on labels alone."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from training.dataset.unlabelled.unlabelled import Unlabelled
from training.fit.regression import FOLDS, LinearHead, folds, out_of_fold
from training.fit.self_training import SelfTaught, SelfTraining
from training.measure.calibrate import find_temperature
from training.network.broad_network import unit_length
from training.on_features.candidate import Candidate, most
from training.on_features.choice import TUNED, choose
from training.on_features.familiar import FamiliarityResult
from training.on_features.sides import Sides
from training.recipe.recipe import Recipe

_STRANGE = "unlike the labelled photos"

HELPS_UP_TO, HELPS_NOT_FROM = 5, 10
"""Labelled photos of a class with which pseudo-labels helped, and from which on hardly (docs/measurements.md)."""


@dataclass(frozen=True)
class PseudoLabelled:
    """What became of pseudo-labels.

    Attributes:
        candidate: the head that is kept: with pseudo-labels, or without if these are shown to harm.
        why: what speaks for it, in a sentence.
        advice: when pseudo-labels help, in a sentence.
    """

    candidate: Candidate
    pool: Unlabelled
    why: str
    advice: str

    def facts(self, final: LinearHead, names: Sequence[str], labelled: int) -> dict[str, Any]:
        """What run.json says.

        Args:
            final: the final head.
            names: of the classes.
            labelled: number of labelled photos that it learnt from.
        """
        joined = final.joined.classes if isinstance(final, SelfTaught) else np.zeros(0, np.int64)
        counts = np.bincount(joined, minlength=len(names)).tolist()
        return {
            "folder": self.pool.name,
            "sha256": self.pool.sha256,
            "found": self.pool.found,
            "left_out": {why: count for why, count in self.pool.left_out.items() if count},
            "photos": len(joined),
            "share": len(joined) / (len(joined) + labelled),
            "classes": dict(zip(names, counts, strict=True)),
            "why": self.why,
            "advice": self.advice,
        }


def with_pseudo_labels(
    head: Candidate, given: Unlabelled, familiar: FamiliarityResult, sides: Sides, recipe: Recipe
) -> PseudoLabelled:
    """Teach the head with its own answers to photos without labels.

    Its honest answers come from heads whose pseudo-labels were made without the photo that is judged, too. Pictures of
    none of the classes get sure answers, too, so only familiar photos may join.

    Args:
        head: the candidate on broad features, which is the first teacher.
        given: the photos without labels, described.
    """
    assert given.features is not None
    known = familiar.is_familiar(given.features)
    pool = replace(given, left_out={**given.left_out, _STRANGE: int((~known).sum())})
    judged = sides.labels[sides.judges]
    temperature = find_temperature(head.honest, judged)
    training = SelfTraining(unit_length(given.features[known]), recipe.pseudo_labels, temperature)
    train = most(sides, sides.train, recipe.seed)
    rows, labels = head.rows(train), sides.labels[train]
    taught = training.fit(rows, labels, sides.classes, head.c)
    if len(sides.val):
        honest = taught.logits(head.rows(sides.val))
    else:
        parts = folds(labels, sides.groups[train], FOLDS)
        honest = out_of_fold(rows, labels, parts, sides.classes, head.c, training.fit)
    student = replace(head, honest=honest, taught=taught, fitted_by=training.fit)
    return _kept(head, student, pool, sides)


def _kept(head: Candidate, student: Candidate, pool: Unlabelled, sides: Sides) -> PseudoLabelled:
    """The student, unless the head without pseudo-labels is better beyond chance."""
    before, after = (float(each.right(sides).mean()) for each in (head, student))
    harm = choose(student, head, sides).kept == TUNED
    figures = f"accuracy {after:.4f} with pseudo-labels and {before:.4f} without, on {len(student.honest)} photos"
    figures += " held out" if len(sides.val) else " by cross-validation"
    smallest = int(np.bincount(sides.labels[sides.train], minlength=sides.classes).min())
    return PseudoLabelled(
        head if harm else student,
        pool,
        f"Pseudo-labels are left out, because they harm here: {figures}." if harm else f"Pseudo-labels: {figures}.",
        _advice(smallest),
    )


def _advice(labelled: int) -> str:
    """When they help.

    Args:
        labelled: number of labelled photos of the smallest class.
    """
    known = (
        f"Pseudo-labels brought two to three points with {HELPS_UP_TO} a class, and at most one, or a loss, from"
        f" {HELPS_NOT_FROM} on"
    )
    if labelled < HELPS_NOT_FROM:
        return f"The smallest class has {labelled} labelled photos. {known}; more labels help more."
    return f"Each class has {labelled} labelled photos or more. {known}: leave them out, or compare with a run without."
