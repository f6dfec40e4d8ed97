"""The head: multinomial logistic regression that begins at a root and is pulled back to it.

Over D, the change of the root's kernel and bias, it minimises

    sum_i weight_i * cross_entropy(target_i, softmax(root logits_i + [x_i, 1] D)) + pull / 2 * |D|^2

A label's target is its class. An anchor's target is what the root says, so anchors alone change nothing. A new class is
a new column: its kernel is pulled to 0, and its bias is free.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from learn.fitting.layer import Doubles, Floats, Ints, Layer

MOST_STEPS = 500
KEYS = 8  # features that tell two photos apart


@dataclass(frozen=True)
class Lessons:
    """What a head learns from.

    Attributes:
        features: float32 [N, F].
        targets: float64 [N, classes], each row sums to 1.
        weights: float64 [N].
    """

    features: Floats
    targets: Doubles
    weights: Doubles

    def in_order(self) -> "Lessons":
        """The same in an order that their content decides: floating-point sums depend on it."""
        order = order_of(self.features[:, :KEYS], self.targets, self.weights)
        if (order == np.arange(len(order))).all():
            return self  # many photos are not copied
        return Lessons(self.features[order], self.targets[order], self.weights[order])


def order_of(keys: Floats, targets: Doubles, weights: Doubles) -> Ints:
    """Return the order of lessons that their content decides.

    Args:
        keys: the first KEYS features of each, float32 [N, KEYS].
        targets: float64 [N, classes].
        weights: float64 [N].
    """
    return np.lexsort(np.column_stack([keys, targets, weights]).T)


def joined(*parts: Lessons) -> Lessons:
    """All of them."""
    return Lessons(
        np.concatenate([part.features for part in parts]),
        np.concatenate([part.targets for part in parts]),
        np.concatenate([part.weights for part in parts]),
    )


def anchors(root: Layer, features: Floats, weight: float = 1.0) -> Lessons:
    """Photos that hold the head where the root is: their targets are the root's own probabilities."""
    return Lessons(features, np.exp(log_probabilities(root.logits(features))), np.full(len(features), weight))


def labels(classes: Ints, features: Floats, count: int, weights: Doubles | float = 1.0) -> Lessons:
    """Photos whose class a person has said, of `count` classes."""
    return Lessons(features, np.eye(count)[classes], np.full(len(features), weights))


def fit(
    root: Layer, lessons: Lessons, pull: float, start: Layer | None = None, new: int = 0, pull_new: float = 0.0
) -> Layer:
    """Fit a head. The root itself, to the bit, if there is nothing but anchors.

    Args:
        root: with a column for each class, new ones at the end.
        lessons: anchors and labels.
        pull: strength of the pull to the root.
        start: where the search begins; by default at the root.
        new: number of classes at the end that the root does not know.
        pull_new: strength of the pull of their kernels to 0.
    """
    if not len(lessons.weights):
        return root
    from scipy.optimize import minimize
    from threadpoolctl import threadpool_limits

    lessons = lessons.in_order()  # many photos are not held twice
    count, size = lessons.targets.shape[1], len(root.kernel)
    begun = root.logits(lessons.features)
    pulled = np.full((size + 1, count), pull)
    pulled[:, count - new :] = pull_new
    pulled[-1, count - new :] = 0.0
    with threadpool_limits(1):  # in more threads, sums are rounded in another order each time
        found = minimize(
            _objective(lessons, begun, pulled),
            (np.zeros((size + 1, count)) if start is None else _change(root, start)).ravel(),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": MOST_STEPS, "ftol": 1e-8, "gtol": 1e-3, "maxcor": 20},
        )
    change = found.x.reshape(size + 1, count)
    return Layer((root.kernel + change[:-1]).astype(np.float32), (root.bias + change[-1]).astype(np.float32))


def log_probabilities(logits: Floats) -> Doubles:
    """Logarithms of the softmax of logits [N, classes]."""
    fine = logits.astype(np.float64)
    shifted = fine - fine.max(axis=1, keepdims=True)
    said: Doubles = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return said


def _change(root: Layer, head: Layer) -> Doubles:
    return np.vstack([head.kernel.astype(np.float64) - root.kernel, (head.bias.astype(np.float64) - root.bias)[None]])


def _objective(lessons: Lessons, begun: Floats, pulled: Doubles) -> Callable[[Doubles], tuple[float, Doubles]]:
    features, targets, weights = lessons.features, lessons.targets, lessons.weights

    def _value(flat: Doubles) -> tuple[float, Doubles]:
        change = flat.reshape(pulled.shape)
        logits = begun + features @ change[:-1].astype(np.float32) + change[-1].astype(np.float32)
        said = log_probabilities(logits)
        loss = -float(weights @ (targets * said).sum(axis=1))
        rest = weights[:, None] * (np.exp(said) - targets)
        slope = np.vstack([(rest.T.astype(np.float32) @ features).T, rest.sum(axis=0)[None]]) + pulled * change
        return loss + 0.5 * float((pulled * change**2).sum()), slope.ravel()

    return _value
