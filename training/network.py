"""The network: uint8 photos in, logits out, with everything between them inside one Keras model."""

from pathlib import Path
from typing import Any

import keras
from keras import layers

from training.errors import WeightsError
from training.recipe import FineTune, Recipe


def build(recipe: Recipe, classes: int, weights: Path | None, size_px: int | None = None) -> keras.Model:
    """Build MobileNetV2 with a linear head.

    Input `images`: uint8 [N, S, S, 3]; output `logits`: float32 [N, classes]. Scaling to -1..1 is inside; no Lambda, so
    that the saved model loads in Keras's safe mode.

    Args:
        weights: file of the base's initial weights, None for random ones.
        size_px: side of the input, by default the recipe's. It changes no weight's shape.

    Raises:
        WeightsError: the file is damaged or of another network.
    """
    size = size_px or recipe.input.size_px
    images = keras.Input((size, size, 3), dtype="uint8", name="images")
    base = backbone(size)
    if weights is not None:
        try:
            base.load_weights(weights)
        except (OSError, ValueError, KeyError) as error:
            raise WeightsError(f"The weights file {weights} cannot be loaded ({error}). Fetch it again.") from error
    _set_batch_norm(base, recipe)
    scaled = layers.Rescaling(1 / 127.5, offset=-1.0, name="scale")(images)
    pooled = layers.GlobalAveragePooling2D(name="pool")(base(scaled))
    dropped = layers.Dropout(recipe.network.dropout, seed=recipe.seed, name="dropout")(pooled)
    logits = layers.Dense(classes, name="logits", dtype="float32")(dropped)
    return keras.Model(images, logits, name="phototriage")


def backbone(size_px: int) -> keras.Model:
    """MobileNetV2 without its top and with random weights: float32 [N, S, S, 3] in -1..1 -> [N, S/32, S/32, 1280]."""
    shape = (size_px, size_px, 3)
    return keras.applications.MobileNetV2(include_top=False, input_shape=shape, weights=None, name="base")


def feature_model(model: keras.Model) -> keras.Model:
    """The same network up to the pooled features, float32 [N, 1280]; weights are shared."""
    return keras.Model(model.input, model.get_layer("pool").output)


def unfreeze(model: keras.Model, settings: FineTune) -> int:
    """Let the last layers of the base learn (`all`: every one), and return how many weights now do.

    Frozen batch norms are layers that do not learn: Keras then keeps their statistics too. `base(x, training=False)`
    would not do: inside a functional model, Keras 3 passes its own `training` over it.
    """
    base = model.get_layer("base")
    base.trainable = True
    frozen = [] if settings.unfreeze == "all" else base.layers[: -int(settings.unfreeze)]
    if settings.batch_norm == "frozen":
        frozen = [*frozen, *_batch_norms(base)]
    for layer in frozen:
        layer.trainable = False
    return sum(int(weight.size) for weight in _values(model.trainable_weights))


def _values(weights: list[Any]) -> list[Any]:
    return [keras.ops.convert_to_numpy(weight) for weight in weights]


def _set_batch_norm(base: keras.Model, recipe: Recipe) -> None:
    for layer in _batch_norms(base):
        layer.momentum = recipe.fine_tune.batch_norm_momentum


def _batch_norms(base: keras.Model) -> list[Any]:
    return [layer for layer in base.layers if isinstance(layer, layers.BatchNormalization)]
