"""Networks on the trunk: the tail that learns, and the whole network with one or two tails.

The trunk (all blocks of the broad network but the last few) and the broad tail stay as they are. The task tail is a
copy of the last blocks that has learnt. One linear layer stands on the unit-length features of both.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from training.network.network import build, unfreeze
from training.network.trunk import cut
from training.recipe.recipe import Recipe

TASK = "task"
LENGTH = 10.0
"""Length of the features under the linear layer of a tail that learns. Without a fixed one, the answers at 160 px would
be off after training at 128: features there are 1.7 times as long."""


def tail(recipe: Recipe, classes: int, weights: Path | None, size_px: int) -> keras.Model:
    """The last blocks and a linear layer of their own, which may learn.

    Returns:
        float32 maps of the trunk for photos of `size_px` -> `logits` float32 [N, classes]; its layer `pool` gives the
        task features.
    """
    model = build(recipe, classes, weights, size_px)
    unfreeze(model, recipe.fine_tune)
    base = model.get_layer("base")
    start = cut(base, recipe)
    maps = keras.Input(start.shape[1:], name="maps")
    pooled = layers.GlobalAveragePooling2D(name="pool")(keras.Model(start, base.output, name=TASK)(maps))
    unit = layers.Rescaling(LENGTH)(layers.UnitNormalization()(pooled))
    logits = model.get_layer("logits")(model.get_layer("dropout")(unit))
    return keras.Model(maps, logits, name="tail")


def assemble(
    recipe: Recipe,
    weights: Path | None,
    task: Sequence[NDArray[Any]] | None,
    kernel: NDArray[np.float32],
    bias: NDArray[np.float32],
) -> keras.Model:
    """The whole network: trunk, one or two tails, and the linear layer.

    Args:
        task: weights of the learnt `tail`, in its order; None for the broad features alone.
        kernel: float32 [features, classes] on the unit-length features: task features first, then broad ones.
        bias: float32 [classes].

    Returns:
        `images` uint8 [N, S, S, 3] -> `logits` float32 [N, classes]; its layer `features` gives what the linear layer
        gets.
    """
    size, classes = recipe.input.size_px, kernel.shape[1]
    model = build(recipe, classes, weights)
    images = keras.Input((size, size, 3), dtype="uint8", name="images")
    scaled = model.get_layer("scale")(images)
    if task is None:
        found = _unit(model.get_layer("base")(scaled), "features")
    else:
        found = _two_tails(model.get_layer("base"), _blocks(recipe, classes, task), recipe, scaled)
    logits = layers.Dense(classes, name="logits", dtype="float32")(found)
    whole = keras.Model(images, logits, name="phototriage")
    whole.get_layer("logits").set_weights([kernel, bias])
    return whole


def _two_tails(base: keras.Model, task: keras.Model, recipe: Recipe, scaled: Any) -> Any:
    start = cut(base, recipe)
    maps = keras.Model(base.input, start, name="trunk")(scaled)
    broad = keras.Model(start, base.output, name="broad")(maps)
    both = [_unit(task(maps), "task_features"), _unit(broad, "broad_features")]
    return layers.Concatenate(name="features")(both)


def _blocks(recipe: Recipe, classes: int, weights: Sequence[NDArray[Any]]) -> keras.Model:
    """The learnt blocks without their linear layer."""
    learnt = tail(recipe, classes, None, recipe.input.size_px)
    learnt.set_weights(weights)
    blocks: keras.Model = learnt.get_layer(TASK)
    return blocks


def _unit(maps: Any, name: str) -> Any:
    pooled = layers.GlobalAveragePooling2D(name=f"{name}_pool")(maps)
    return layers.UnitNormalization(name=name)(pooled)
