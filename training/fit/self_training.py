"""Self-training: a head answers photos without labels, and learns again from its most certain answers.

Source: D.-H. Lee, "Pseudo-Label", 2013. docs/measurements.md says how the rule was chosen.
"""

from dataclasses import dataclass
from math import ceil

import numpy as np

from training.fit.regression import Features, Ints, LinearHead, fit_head
from training.measure.metrics import softmax
from training.recipe.pseudo import PseudoLabels


@dataclass(frozen=True)
class Joined:
    """Answers that join.

    Attributes:
        places: of their photos among those without labels, int64 [N].
        classes: the answers, int64 [N].
    """

    places: Ints
    classes: Ints


@dataclass(frozen=True)
class SelfTaught(LinearHead):
    """A head that has learnt from its own answers, too. joined: those from which it learnt last."""

    joined: Joined


@dataclass(frozen=True)
class SelfTraining:
    """Fits heads with the help of photos without labels.

    Attributes:
        pool: features of these photos, of unit length, float32 [M, F].
        rule: which answers join.
        temperature: divisor of the logits that makes their probabilities true. It is one number, so it may come from
            answers to photos that judge.
    """

    pool: Features
    rule: PseudoLabels
    temperature: float

    def fit(self, features: Features, labels: Ints, classes: int, c: float) -> SelfTaught:
        """Fit as `fit_head` does, and then again with the answers that join, `rule.rounds` times."""
        head, joined = fit_head(features, labels, classes, c), Joined(labels[:0], labels[:0])
        for _ in range(self.rule.rounds):
            joined = self.joined(head)
            rows = np.concatenate([features, self.pool[joined.places]])
            head = fit_head(rows, np.concatenate([labels, joined.classes]), classes, c)
        return SelfTaught(head.kernel, head.bias, head.c, joined)

    def joined(self, head: LinearHead) -> Joined:
        """The answers of a head that join: of each class the most certain ones."""
        given = softmax(head.logits(self.pool), self.temperature)
        best, sure = given.argmax(axis=1), given.max(axis=1)
        order = np.argsort(-sure, kind="stable")
        kept = [order[:0]]
        for label in np.unique(best):
            answered = order[best[order] == label]
            some = answered[: min(self.rule.most, ceil(self.rule.share * len(answered)))]
            kept.append(some[sure[some] >= self.rule.certainty])
        places = np.sort(np.concatenate(kept))
        return Joined(places, best[places])
