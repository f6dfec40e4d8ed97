"""Broad features of the photos, which find near duplicates before the split and are what the head learns from."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.dataset.prepare import PreparedData
from training.dataset.samples import Samples
from training.network.features import cached_features
from training.network.trunk import Trunk, open_trunk
from training.network.weights import features_origin, initial_weights
from training.progress import Reporter, Tick
from training.recipe.recipe import Recipe

_ROWS = 512  # copied at once


def described(samples: Samples, recipe: Recipe, reporter: Reporter) -> NDArray[np.float32]:
    """Pooled features of the broad network that a recipe begins with, float32 [N, F], memory-mapped and cached.

    Args:
        recipe: one for which `Recipe.on_features` is true.
    """
    weights = initial_weights(recipe, reporter.say)
    assert weights is not None  # of a recipe on features
    origin = features_origin(recipe, weights.sha256)
    return broad_features(open_trunk(recipe, weights), samples, origin, reporter)


def broad_features(trunk: Trunk, samples: Samples, origin: str, reporter: Reporter) -> NDArray[np.float32]:
    """Pooled broad features of samples, float32 [N, F], memory-mapped and cached."""

    def fill(out: NDArray[np.float32], tick: Any) -> None:
        for place, values in trunk.each(trunk.features, samples):
            out[place] = values
            tick(len(values))

    return cached_features(samples, trunk.width, f"{origin} onnxruntime", fill, reporter)


def features_of_kept(prepared: PreparedData, reporter: Reporter) -> NDArray[np.float32]:
    """Broad features of the samples of a dataset: the known ones, or a memory-mapped copy if photos are left out."""
    known, kept = prepared.found.features, prepared.kept
    assert known is not None  # of a recipe on features
    if len(kept) == len(known):
        return known

    def fill(out: NDArray[np.float32], tick: Tick) -> None:
        for start in range(0, len(kept), _ROWS):
            rows = kept[start : start + _ROWS]
            out[start : start + _ROWS] = known[rows]
            tick(len(rows))

    return cached_features(prepared.samples, known.shape[1], "", fill, reporter)
