"""Suspected wrong labels among photos that a network did not learn from: it is surer than usual of another class.

Source: C. Northcutt, L. Jiang, I. Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels", 2021: the
photos off the diagonal of the confident joint. `check-data --run` looks at the training photos too, with their library.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training.measure.metrics import Floats, Ints


def doubtful(true: Ints, probabilities: Floats) -> NDArray[np.int64]:
    """Places of the photos with a doubtful label, the surest doubts first.

    A photo counts for the classes of which the network is at least as sure as it is on average of photos labelled so,
    and of these for the most probable one; doubtful is one that counts for another class than its label's.

    Args:
        true: class index of each photo, [N]. probabilities: of photos that were not learnt from, [N, classes].
    """
    held = np.bincount(true, minlength=probabilities.shape[1])
    usual = np.full(probabilities.shape[1], np.inf)
    sums = np.bincount(true, probabilities[np.arange(len(true)), true], len(usual))
    usual[held > 0] = sums[held > 0] / held[held > 0]
    sure = np.where(probabilities >= usual, probabilities, -1.0)
    counted, taken = sure.argmax(axis=1), probabilities.argmax(axis=1)
    places = np.flatnonzero((sure.max(axis=1) >= 0) & (counted != true) & (taken != true))
    margins = probabilities[places, taken[places]] - probabilities[places, true[places]]
    return places[np.argsort(-margins, kind="stable")]


def in_words(given: Floats, true: int, labels: Sequence[str]) -> str:
    """What speaks against a label.

    Args:
        given: the photo's probabilities, [classes]. true: index of its label.
    """
    taken = int(given.argmax())
    return f"in {labels[true]}, looks like {labels[taken]} ({given[taken]:.1%} against {given[true]:.1%})"
