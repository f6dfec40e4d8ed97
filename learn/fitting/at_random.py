"""Do labels fit their photos, or could they as well have been dealt at random?

No comparison of heads: corrections decide nothing there, because the old head was wrong about all of them. The same
labels are dealt to the photos again and again, each time among photos to which the root gives one answer. So it does
not matter that people label mistakes, and that somebody who moves photos at random never leaves one where it was.

Right labels go to photos to which the root gives the label's class more of its score than to the others, and that look
alike. Wrong ones do neither. Labels that agree with the root more often than by chance fit in any case.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from learn.fitting.layer import Doubles, Floats, Ints, Layer

LEVEL = 0.05
ENOUGH = 10
"""Labels that could lie otherwise, from which on they tell something (docs/measurements.md)."""
MOST = 1_000
"""Labels that are looked at; of more, so many drawn at random."""
DEALS = 299


@dataclass(frozen=True)
class Dealt:
    """What dealing the labels at random says of them.

    Attributes:
        labels: that were looked at, one of each group of near-duplicates.
        movable: how many of them another label of the same answer of the root could replace.
        agreeing: labels that are the root's answer.
        agreement: chance of as many among labels of any photos.
        score, likeness: share of the deals that are as good, by the root's scores and by the likeness of photos.
    """

    labels: int
    movable: int
    agreeing: int = 0
    agreement: float = 1.0
    score: float = 1.0
    likeness: float = 1.0

    @property
    def p(self) -> float:
        """Chance of labels that fit as well if they were dealt at random, by three looks at them."""
        return min(1.0, 3 * min(self.agreement, self.score, self.likeness))

    @property
    def is_random(self) -> bool:
        """Whether there are enough labels to tell, and they look dealt at random."""
        return self.movable >= ENOUGH and self.p >= LEVEL


def looked_at(groups: Sequence[str]) -> list[int]:
    """Return the places of the labels that are looked at: one of each group, and of many some drawn at random.

    Args:
        groups: the group of near-duplicates of each label.
    """
    some = np.unique(groups, return_index=True)[1]
    chosen: list[int] = (np.random.default_rng(0).permutation(some)[:MOST] if len(some) > MOST else some).tolist()
    return chosen


def dealt(root: Layer, features: Floats, said: Ints) -> Dealt:
    """Look at labels.

    Args:
        root: widened to all classes.
        features: of the labelled photos, float32 [N, F].
        said: what was said of each, [N].
    """
    from threadpoolctl import threadpool_limits

    rng = np.random.default_rng(0)
    logits = root.logits(features)
    answers = logits.argmax(axis=1)
    movable = sum(len(places) - int(np.bincount(said[places]).max()) for places in _places(answers))
    if movable < ENOUGH:
        return Dealt(len(said), movable)
    with threadpool_limits(1):  # in more threads, sums are rounded in another order each time
        score, likeness = _deals(features, logits, said, answers, rng)
    return Dealt(len(said), movable, int((said == answers).sum()), _agreement(said, answers), score, likeness)


def _places(answers: Ints) -> Iterator[Ints]:
    """The photos of each answer."""
    return (np.flatnonzero(answers == each) for each in np.unique(answers))


def _deals(
    features: Floats, logits: Floats, said: Ints, answers: Ints, rng: np.random.Generator
) -> tuple[float, float]:
    """Share of the deals, the given one among them, in which scores and likeness are as high as in the given one."""
    own = features.astype(np.float64)
    for places in _places(answers):
        own[places] -= own[places].mean(axis=0)
    alike, scores = own @ own.T, logits.astype(np.float64)
    given = _worth(alike, scores, said)
    reached = np.ones(2)
    for _ in range(DEALS):
        mixed = said.copy()
        for places in _places(answers):
            mixed[places] = rng.permutation(said[places])
        reached += _worth(alike, scores, mixed) >= given - 1e-9 * np.abs(given)
    score, likeness = reached / (DEALS + 1)
    return float(score), float(likeness)


def _worth(alike: Doubles, scores: Doubles, said: Ints) -> Doubles:
    """How well labels fit: the root's scores of them, and the scatter between their classes (as of a PERMANOVA)."""
    members = np.eye(scores.shape[1])[said]
    sizes = np.maximum(members.sum(axis=0), 1)
    return np.array([(scores * members).sum(), ((members * (alike @ members)).sum(axis=0) / sizes).sum()])


def _agreement(said: Ints, answers: Ints) -> float:
    from scipy.stats import binomtest

    count = int(max(said.max(), answers.max())) + 1
    shares = np.bincount(said, minlength=count) * np.bincount(answers, minlength=count) / len(said) ** 2
    return float(binomtest(int((said == answers).sum()), len(said), min(1.0, float(shares.sum())), "greater").pvalue)
