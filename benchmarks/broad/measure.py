"""What features are good for: familiarity, a few labels, near copies. Features are float32 [N, F] at unit length."""

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.float32]
CENTRES = 200
KEPT = 0.98
HELD_OUT = 5
"""Every fifth scene photo for training is held out: the threshold of familiarity comes from photos no centre saw."""


@dataclass(frozen=True)
class Familiarity:
    """Centres of what the classes look like, and the familiarity that 98 of 100 held-out photos reach.

    Attributes:
        centres: float32 [C, F] at unit length.
        threshold: cosine to the nearest centre.
    """

    centres: Features
    threshold: float

    def of(self, features: Features) -> NDArray[np.float32]:
        """Cosine to the nearest centre."""
        nearest: NDArray[np.float32] = (features @ self.centres.T).max(axis=1)
        return nearest

    def kept(self, features: Features) -> float:
        """Share of photos that are familiar."""
        return float((self.of(features) >= self.threshold).mean())


def fit_familiarity(features: Features, classes: NDArray[np.str_]) -> tuple[Familiarity, Features]:
    """Fit centres per class by k-means, and the threshold; returns the held-out photos too."""
    from sklearn.cluster import KMeans

    held = np.zeros(len(features), bool)
    held[::HELD_OUT] = True
    names = np.unique(classes)
    found = []
    for name in names:
        own = features[~held & (classes == name)]
        count = min(CENTRES // len(names), len(own))
        found.append(KMeans(count, n_init=1, max_iter=30, random_state=0).fit(own).cluster_centers_)
    centres = np.concatenate(found)
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    fitted = Familiarity(centres.astype(np.float32), 0.0)
    return Familiarity(fitted.centres, float(np.quantile(fitted.of(features[held]), 1 - KEPT))), features[held]


def ranking(good: NDArray[np.float32], strangers: NDArray[np.float32]) -> float:
    """Area under the ROC curve of familiarity: how often a photo of a class is more familiar than a stranger."""
    from sklearn.metrics import roc_auc_score

    wanted = np.concatenate([np.ones(len(good)), np.zeros(len(strangers))])
    return float(roc_auc_score(wanted, np.concatenate([good, strangers])))


def few_labels(
    train: tuple[Features, NDArray[np.str_]], test: tuple[Features, NDArray[np.str_]], labels: int, seeds: int
) -> float:
    """Accuracy of a logistic regression on that many labels a class, the mean over draws."""
    from sklearn.linear_model import LogisticRegression

    features, classes = train
    found = []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        drawn = [rng.permutation(np.flatnonzero(classes == name))[:labels] for name in np.unique(classes)]
        chosen = np.concatenate(drawn)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            head = LogisticRegression(C=10, max_iter=300).fit(features[chosen], classes[chosen])
        found.append(float((head.predict(test[0]) == test[1]).mean()))
    return float(np.mean(found))
