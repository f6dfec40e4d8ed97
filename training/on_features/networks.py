"""The networks of fine-tuning, built once for all fine-tunings of a run: each begins with them as if they were new."""

from functools import cached_property
from pathlib import Path

import keras
import numpy as np

from training.fit.epoch import Weights
from training.fit.learner import Learner
from training.fit.regression import LinearHead
from training.network.tails import LENGTH, tail
from training.recipe.recipe import Recipe


class TailNetworks:
    """A tail that is judged at the input's size, and one that learns at the size of fine-tuning.

    Building them and the graph of a training step takes seconds, a third of some fine-tunings. Only one fine-tuning may
    use them at a time.

    Args:
        weights: file of the initial weights; None for random ones.
    """

    def __init__(self, recipe: Recipe, classes: int, weights: Path | None) -> None:
        self._recipe, self._classes, self._weights = recipe, classes, weights

    def judged(self, start: LinearHead) -> keras.Model:
        """The tail that is judged, with initial weights and a head for unit-length broad features."""
        model, first = self._judged
        model.set_weights(first)
        model.get_layer("logits").set_weights([start.kernel / np.float32(LENGTH), start.bias])
        return model

    def learner(self) -> Learner:
        """The tail that learns, as before its first step."""
        learner, first = self._learner
        learner.restore(*first)
        return learner

    @cached_property
    def describing(self) -> keras.Model:
        """The judged tail up to its task features: maps of the trunk -> float32 [N, F]."""
        model, _ = self._judged
        return keras.Model(model.input, model.get_layer("pool").output)

    @cached_property
    def _judged(self) -> tuple[keras.Model, Weights]:
        model = tail(self._recipe, self._classes, self._weights, self._recipe.input.size_px)
        return model, model.get_weights()

    @cached_property
    def _learner(self) -> tuple[Learner, tuple[Weights, Weights]]:
        learner = Learner(tail(self._recipe, self._classes, None, self._recipe.training_px), self._recipe.fine_tune)
        return learner, learner.state()
