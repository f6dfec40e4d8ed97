"""The way from photos to a network by features: describe, fit a head, fine-tune if that helps, choose, calibrate."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.dataset.samples import Samples
from training.fit.regression import FOLDS, LinearHead, fit_head, folds
from training.learnt import Learnt, Task
from training.measure.learning_curve import CurvePoint, learning_curve
from training.measure.results import Answers, measured_answers
from training.network.trunk import open_trunk
from training.network.weights import initial_weights
from training.on_features.candidate import Candidate, most, on_broad
from training.on_features.describe import features_of_kept
from training.on_features.familiar import find_familiarity
from training.on_features.fine_tune import Base, fine_tune
from training.on_features.memory import write_memory
from training.on_features.pseudo import PseudoLabelled, with_pseudo_labels
from training.on_features.sides import Sides, sides_of
from training.on_features.whole import write_network
from training.progress import Reporter
from training.recipe.recipe import Recipe


def train_on_features(task: Task) -> Learnt:
    """Train a network whose linear layer stands on the features of the broad network, and of a fine-tuned copy of its
    last blocks where that answers better.

    Args:
        task: its recipe is one for which `Recipe.on_features` is true.

    Raises:
        TrainingError: the training diverged, or the written network does not give the answers that were measured.
    """
    prepared, recipe, timer, reporter = task.prepared, task.recipe, task.timer, task.reporter
    weights = initial_weights(recipe, reporter.say)
    assert weights is not None  # of a recipe on features
    trunk, sides = open_trunk(recipe, weights), sides_of(prepared)
    with timer.stage("features"):
        broad = features_of_kept(prepared, reporter)
    with timer.stage("head"):
        head = on_broad(broad, sides, recipe.seed)
        right = head.right(sides)
        reporter.say(
            f"Head on the broad network's features: accuracy {right.mean():.4f} on {len(right)} photos"
            f" {'held out' if len(sides.val) else 'by cross-validation'}."
        )
    base = Base(trunk, weights, prepared, sides, head, broad)
    tuned = fine_tune(base, task)
    reporter.say(tuned.choice.why)
    with timer.stage("measure"):  # not before: a kill between this file and the checkpoint would leave a strange folder
        familiar = find_familiarity(broad, sides, prepared.dataset.labels, task, weights)
    chosen, choice, pseudo = tuned.candidate or head, tuned.choice, None
    if prepared.unlabelled is not None:
        with timer.stage("pseudo-labels"):
            pseudo = with_pseudo_labels(head, prepared.unlabelled, familiar, sides, recipe)
        chosen, choice = pseudo.candidate, replace(choice, why=pseudo.why)
        reporter.say(f"{pseudo.why} {pseudo.advice}")
    with timer.stage("measure"):
        learnt_from = np.setdiff1d(np.concatenate([sides.train, sides.val]), sides.never_learnt(recipe.seed))
        final = chosen.fit(sides, learnt_from, recipe.seed)
        write_network(task.output, recipe, weights, tuned.task, final, (prepared.samples, chosen))
        memory = write_memory(task.output, (chosen, final), sides, learnt_from, prepared.dataset.labels, recipe.seed)
        measured = measured_answers(
            _answers(prepared.samples, sides, chosen, (final, learnt_from), recipe), prepared.dataset.labels, recipe
        )
        curve = _curve(head, sides, recipe.seed)
    for sentence in (*measured.calibration.sentences, familiar.sentence):
        reporter.say(sentence)
    return Learnt(
        measured,
        weights.origin,
        tuned.interrupted,
        tuned.resumed_after,
        {
            "choice": choice.to_dict(),
            "head": {"c": chosen.c, "photos": len(learnt_from)},
            "judged": "held out" if len(sides.val) else "out of fold",
            "familiarity": familiar.facts,
            "memory": memory.to_value(),
            "learning_curve": [point.to_dict() for point in curve],
            **_pseudo_facts(pseudo, final, prepared.dataset.labels, len(learnt_from), reporter),
        },
    )


def _pseudo_facts(
    pseudo: PseudoLabelled | None, final: LinearHead, names: Sequence[str], labelled: int, reporter: Reporter
) -> dict[str, Any]:
    """What run.json says of pseudo-labels; nothing without them."""
    if pseudo is None:
        return {}
    facts = pseudo.facts(final, names, labelled)
    reporter.say(
        f"The model learnt from {labelled:,} labelled photos and {facts['photos']:,} pseudo-labels"
        f" ({facts['share']:.0%} of all)."
    )
    return {"pseudo_labels": facts}


def _curve(head: Candidate, sides: Sides, seed: int) -> list[CurvePoint]:
    """What the head on broad features would be with fewer photos."""
    numbers = most(sides, sides.train, seed)
    if len(sides.val):
        places = np.concatenate([numbers, sides.val])
        parts = [(np.arange(len(numbers)), np.arange(len(numbers), len(places)))]
    else:
        places, parts = numbers, folds(sides.labels[numbers], sides.groups[numbers], FOLDS)
    labels = sides.labels[places]
    return learning_curve(
        head.rows(places),
        labels,
        parts,
        lambda x, y: fit_head(x, y.astype(np.int64), sides.classes, head.c).logits,
        seed,
        head.right(sides),
    )


def _answers(
    samples: Samples, sides: Sides, chosen: Candidate, taught: tuple[LinearHead, NDArray[np.int64]], recipe: Recipe
) -> dict[str, Answers]:
    """What was answered to the photos of each split, by heads that have not learnt from them and by the final one.

    Args:
        taught: the final head, and the photos that it may have learnt from.
    """
    final, learnt_from = taught

    def finally_(numbers: NDArray[np.int64]) -> Any:
        return final.logits(chosen.rows(numbers))

    judges = samples.take(sides.judges)
    judges = replace(judges, photos=tuple(photo.on("val") for photo in judges.photos))
    learnt = np.isin(np.arange(len(samples.rows)), learnt_from)
    answers = {"val": Answers(judges, chosen.honest, learnt[sides.judges], finally_(sides.judges))}
    if len(sides.test):
        answers["test"] = Answers(samples.take(sides.test), finally_(sides.test), learnt[sides.test])
    if recipe.results.train_figures:
        answers["train"] = Answers(samples.take(sides.train), finally_(sides.train), learnt[sides.train])
    return answers
