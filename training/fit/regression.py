"""The head on features: multinomial logistic regression with an L2 penalty, by scikit-learn.

On unit-length features it needs no learning rate, no epochs and no seed, and gives the same bytes each time.
"""

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.measure.learning_curve import share_of
from training.measure.metrics import log_loss, softmax

GRID = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
"""Values of C that are tried: the best one falls as photos and features grow."""
USUAL_C = 30.0
FOLDS = 5
ENOUGH = 4000
"""Photos that choose C: more find the same one on this grid."""
MOST_STEPS = 1000
NEVER = -20.0  # logit of a class that was not among the photos

Features = NDArray[np.float32]
Ints = NDArray[np.int64]
Fold = tuple[Ints, Ints]
"""Places to learn from, and places held."""


@dataclass(frozen=True)
class LinearHead:
    """A linear layer.

    Attributes:
        kernel: float32 [F, classes].
        bias: float32 [classes].
        c: inverse strength of the L2 penalty with which it was fitted.
    """

    kernel: Features
    bias: Features
    c: float

    def logits(self, features: Features) -> Features:
        """Logits, float32 [N, classes], of features [N, F]."""
        given: Features = features @ self.kernel + self.bias
        return given


Fit = Callable[[Features, Ints, int, float], LinearHead]
"""Fits a head, as `fit_head` does."""


def fit_head(features: Features, labels: Ints, classes: int, c: float) -> LinearHead:
    """Fit a head, and take the classes' shares of the photos out of its answers.

    Who has 1,000 photos of one class and 20 of another has not met the one fifty times as often. On photos that are
    spread evenly, accuracy rises from 0.87 to 0.89 and the least recall from 0.69 to 0.78 (docs/measurements.md). Equal
    classes change nothing.

    Args:
        features: float32 [N, F]; one vector of unit length, or several side by side.
        labels: int64 [N], of at least two classes; a class without photos gets a logit that never wins.
        c: inverse strength of the L2 penalty.
    """
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    with (
        threadpool_limits(1),
        warnings.catch_warnings(),
    ):  # in more threads, sums are rounded in another order each time
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)  # many classes of few photos
        fitted = LogisticRegression(C=c, max_iter=MOST_STEPS).fit(features, labels)
    kernel = np.zeros((features.shape[1], classes), np.float32)
    bias = np.full(classes, NEVER, np.float32)
    found, offsets = fitted.coef_, fitted.intercept_
    if len(fitted.classes_) == 2:  # one logit z, of the second class: the same as -z/2 and z/2
        found, offsets = np.vstack([-found, found]) / 2, np.concatenate([-offsets, offsets]) / 2
    counts = np.bincount(labels, minlength=classes)[fitted.classes_]
    kernel[:, fitted.classes_], bias[fitted.classes_] = found.T, offsets - np.log(counts / counts.mean())
    return LinearHead(kernel, bias, c)


def out_of_fold(
    features: Features, labels: Ints, parts: Sequence[Fold], classes: int, c: float, fit: Fit = fit_head
) -> Features:
    """Logits of each photo by a head that has not learnt from it nor from a near copy, float32 [N, classes].

    Photos that cannot judge get zeros.

    Args:
        parts: the folds, as `folds` deals them.
        fit: fits a head.
    """
    given = np.zeros((len(labels), classes), np.float32)
    for learnt, held in parts:
        given[held] = fit(features[learnt], labels[learnt], classes, c).logits(features[held])
    return given


def choose_c(features: Features, labels: Ints, groups: Ints, classes: int) -> float:
    """The C with the smallest out-of-fold log loss, on at most ENOUGH photos; USUAL_C if no photo can judge."""
    if len(labels) > ENOUGH:
        some = share_of(labels, np.arange(len(labels)), ENOUGH / len(labels), 0)
        features, labels, groups = features[some], labels[some], groups[some]
    judges = can_judge(labels, groups)
    if not judges.any():
        return USUAL_C
    parts = folds(labels, groups, FOLDS)  # once for all C: dealing groups out takes seconds
    return best_c(lambda c: out_of_fold(features, labels, parts, classes, c)[judges], labels[judges])[0]


def best_c(answer: Callable[[float], Features], labels: Ints) -> tuple[float, Features]:
    """The C whose answers have the smallest log loss, and these answers.

    It stops at the first C that is worse than the one before: the log loss falls with C, and then rises.

    Args:
        answer: logits [N, classes] of heads that were fitted with that C on other photos.
        labels: class of each photo, [N].
    """
    best, least, answers = GRID[0], math.inf, np.zeros((0, 0), np.float32)
    for c in GRID:
        given = answer(c)
        loss = log_loss(labels, softmax(given))
        if loss >= least:
            break
        best, least, answers = c, loss, given
    return best, answers


def can_judge(labels: Ints, groups: Ints) -> NDArray[np.bool_]:
    """Whether each photo can judge a head that has not learnt from it, bool [N].

    A head that has not learnt from the only group of a class does not know the class, so its answers to that group say
    nothing about a head that does. Other photos of such a group cannot judge either, because it always teaches.
    """
    judges = np.ones(len(labels), np.bool_)
    while True:
        pairs = np.unique(np.stack([labels[judges], groups[judges]]), axis=1)
        alone = np.bincount(pairs[0], minlength=1 + int(labels.max(initial=0))) == 1
        if not alone.any():
            return judges
        judges &= ~np.isin(groups, pairs[1][alone[pairs[0]]])


def folds(labels: Ints, groups: Ints, most: int) -> list[Fold]:
    """Stratified folds with whole groups.

    All photos that can judge are held once; the others are learnt from each time.

    Args:
        most: number of folds; fewer if no class has so many groups.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    places = np.flatnonzero(can_judge(labels, groups))
    always = np.setdiff1d(np.arange(len(labels)), places)
    own, group = labels[places], groups[places]
    groups_of_largest = max(len(np.unique(group[own == label])) for label in np.unique(own))
    kind = StratifiedGroupKFold(min(most, groups_of_largest), shuffle=True, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a class of fewer photos than folds: some folds hold none of it
        parts = list(kind.split(own[:, None], own, group))
    return [(np.sort(np.concatenate([always, places[learnt]])), places[held]) for learnt, held in parts]
