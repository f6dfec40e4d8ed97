"""The network: uint8 photos in, logits out, with everything between them inside one Keras model."""

from pathlib import Path
from typing import Any

import keras
from keras import layers

from training.errors import WeightsError
from training.recipe import Recipe


def build(recipe: Recipe, classes: int, weights: Path | None) -> keras.Model:
    """Build MobileNetV2 with a linear head.

    Input `images`: uint8 [N, S, S, 3]; output `logits`: float32 [N, classes]. Scaling to -1..1 is inside; no Lambda, so
    that the saved model loads in Keras's safe mode.

    Args:
        weights: file of the base's initial weights, None for random ones.

    Raises:
        WeightsError: the file is damaged or of another network.
    """
    size = recipe.input.size_px
    images = keras.Input((size, size, 3), dtype="uint8", name="images")
    base = keras.applications.MobileNetV2(include_top=False, input_shape=(size, size, 3), weights=None, name="base")
    if weights is not None:
        try:
            base.load_weights(weights)
        except (OSError, ValueError, KeyError) as error:
            raise WeightsError(f"The weights file {weights} cannot be loaded ({error}). Fetch it again.") from error
    _set_batch_norm(base, recipe)
    scaled = layers.Rescaling(1 / 127.5, offset=-1.0, name="scale")(images)
    # In `frozen` the statistics stay while the layer's own scale and offset still learn, which `trainable = False` on
    # the layer would stop as well.
    features = base(scaled, training=False) if recipe.fine_tune.batch_norm == "frozen" else base(scaled)
    pooled = layers.GlobalAveragePooling2D(name="pool")(features)
    dropped = layers.Dropout(recipe.fine_tune.dropout, seed=recipe.seed, name="dropout")(pooled)
    logits = layers.Dense(classes, name="logits", dtype="float32")(dropped)
    return keras.Model(images, logits, name="phototriage")


def feature_model(model: keras.Model) -> keras.Model:
    """The same network up to the pooled features, float32 [N, 1280]; weights are shared."""
    return keras.Model(model.input, model.get_layer("pool").output)


def unfreeze(model: keras.Model, last: int | str) -> int:
    """Let the last layers of the base learn (`all`: every one), and return how many weights now do."""
    base = model.get_layer("base")
    base.trainable = True
    if last != "all":
        for layer in base.layers[: -int(last)]:
            layer.trainable = False
    return sum(int(weight.size) for weight in _values(model.trainable_weights))


def _values(weights: list[Any]) -> list[Any]:
    return [keras.ops.convert_to_numpy(weight) for weight in weights]


def _set_batch_norm(base: keras.Model, recipe: Recipe) -> None:
    for layer in base.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = recipe.fine_tune.batch_norm_momentum
