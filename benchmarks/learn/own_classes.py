"""Ten classes of one's own from a few photos each, without any training of a network."""

from statistics import fmean

import numpy as np

from benchmarks.common import tell
from benchmarks.learn.corrections import accuracy
from benchmarks.learn.features import Store
from benchmarks.learn.photos import Photos
from benchmarks.told import Row, Told
from learn.fitting.head import fit, labels
from learn.fitting.layer import Ints, Layer

PULLS = {"broad": 0.1, "task": 0.0003}
"""Strength of the pull to 0 on each half of the features, chosen on draws from the clothing training photos."""
PHOTOS = (5, 20, 50, None)
MEANING = "Accuracy on the clothing test photos of a head that learnt from 20 photos a class, the mean of the draws."


def measured(store: Store, draws: int) -> Told:
    """Measure heads on the broad features alone, and on the task features of the scene network."""
    rows: list[Row] = []
    for count in PHOTOS:
        tell(f"clothing, {count or 'all'} photos a class")
        row: Row = {"photos a class": count or "all", "draws": draws if count else 1}
        for half, pull in PULLS.items():
            train, test = (of_half(store, store.clothing(part), half) for part in ("train", "test"))
            found = [
                accuracy(from_nothing(train.take(drawn(train, count, draw)), pull), test) / 100
                for draw in range(draws if count else 1)
            ]
            row |= {f"{half}: mean": round(fmean(found), 3), f"{half}: worst": round(min(found), 3)}
        rows.append(row)
    return Told(rows, {"20 a class": rows[1]["broad: mean"]}, MEANING)


def of_half(store: Store, photos: Photos, half: str) -> Photos:
    """The photos by task features alone, or by broad ones."""
    at = len(store.layer.kernel) // 2
    chosen = photos.features[:, :at] if half == "task" else photos.features[:, at:]
    return Photos(np.ascontiguousarray(chosen), photos.labels)


def drawn(photos: Photos, count: int | None, draw: int) -> Ints:
    """Places of that many random photos of each class; None: of all."""
    rng = np.random.default_rng(draw)
    classes = np.unique(photos.labels)
    return np.concatenate([rng.permutation(np.flatnonzero(photos.labels == each))[:count] for each in classes])


def from_nothing(photos: Photos, pull: float) -> Layer:
    """A head whose root is nothing: plain logistic regression. Biases are free."""
    width, count = photos.features.shape[1], int(photos.labels.max()) + 1
    root = Layer(np.zeros((width, count), np.float32), np.zeros(count, np.float32))
    return fit(root, labels(photos.labels, photos.features, count), pull, new=count, pull_new=pull)
