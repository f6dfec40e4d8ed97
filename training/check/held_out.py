"""Suspected wrong labels among held-out photos: the network is surer than usual of another class.

Source: C. Northcutt, L. Jiang, I. Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels", 2021: the
photos off the diagonal of the confident joint. `check-data --run` also checks training photos, with cleanlab.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training.measure.metrics import Floats, Ints


def suspect_labels(true: Ints, probabilities: Floats) -> NDArray[np.int64]:
    """Indices of the photos with a suspected wrong label, the most certain first.

    The usual probability of a class is its mean over the photos with that label. Among the classes that reach their
    usual probability on a photo, the most probable one counts. A label is suspect if it is another class.

    Args:
        true: class index of each photo, [N].
        probabilities: predictions for held-out photos, [N, classes].
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


def describe_suspect(given: Floats, true: int, labels: Sequence[str]) -> str:
    """Describe the evidence against a label.

    Args:
        given: the photo's probabilities, [classes].
        true: index of its label.
    """
    taken = int(given.argmax())
    return f"in {labels[true]}, looks like {labels[taken]} ({given[taken]:.1%} against {given[true]:.1%})"
