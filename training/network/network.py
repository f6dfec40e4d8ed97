"""The network: one Keras model from uint8 photos to logits."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from training.errors import WeightsError
from training.network.broad_network import read_broad
from training.recipe.backbones import BACKBONES, block_starts, make_backbone
from training.recipe.learning import FineTune
from training.recipe.recipe import Network, Recipe


def build(recipe: Recipe, classes: int, weights: Path | None, size_px: int | None = None) -> keras.Model:
    """Build the network of a recipe: backbone and head.

    The layers are `images`, `scale`, `base`, `pool`; for each hidden layer `hidden_1`, `hidden_1_norm` (with batch
    normalisation) and `hidden_1_relu`; without hidden layers `norm` (with batch normalisation); `dropout` and `logits`.
    Input `images`: uint8 [N, S, S, 3]. Output `logits`: float32 [N, classes], or [N, 1] of the second class with a
    sigmoid. There is no Lambda layer, so the saved model loads in the safe mode of Keras.

    Args:
        weights: file of the initial weights of the backbone, Keras's or a broad network; None for random weights.
        size_px: side of the input, by default that of the recipe. It does not change the shapes of weights.

    Raises:
        WeightsError: the file is damaged or of another network.
    """
    size = size_px or recipe.input.size_px
    images = keras.Input((size, size, 3), dtype="uint8", name="images")
    base = _backbone(recipe, size, weights)
    pooled = layers.GlobalAveragePooling2D(name="pool")(base(_scale(recipe)(images)))
    topped = _before_last(recipe.network, recipe.seed, pooled)
    units = 1 if recipe.network.sigmoid else classes
    last = layers.Dense(units, kernel_regularizer=_l2(recipe.network), name="logits", dtype="float32")
    model = keras.Model(images, last(topped), name="phototriage")
    for norm in (*_batch_norms(base), *_batch_norms(model)):
        norm.momentum = recipe.fine_tune.batch_norm_momentum
    return model


def _backbone(recipe: Recipe, size_px: int, weights: Path | None) -> keras.Model:
    if weights is None or weights.suffix != ".npz":
        return make_backbone(recipe.backbone, size_px, weights)
    base = make_backbone(recipe.backbone, size_px)
    try:
        base.set_weights([array.astype(np.float32) for array in read_broad(weights).weights])
    except ValueError as error:
        raise WeightsError(
            f"The broad network {weights} is none of {recipe.backbone}. Pass --weights imagenet."
        ) from error
    return base


def _scale(recipe: Recipe) -> layers.Layer:
    if recipe.input.scaling == "unit":
        return layers.Rescaling(1 / 255, name="scale")
    pixels = BACKBONES[recipe.backbone].pixels
    scale, offset = (list(number) if isinstance(number, tuple) else number for number in (pixels.scale, pixels.offset))
    return layers.Rescaling(scale, offset=offset, name="scale")


def _before_last(network: Network, seed: int, pooled: Any) -> Any:
    for place, units in enumerate(network.hidden, 1):
        name = f"hidden_{place}"
        pooled = layers.Dense(units, kernel_regularizer=_l2(network), name=name)(pooled)
        if network.batch_norm:
            pooled = layers.BatchNormalization(name=f"{name}_norm")(pooled)
        pooled = layers.ReLU(name=f"{name}_relu")(pooled)
    if network.batch_norm and not network.hidden:
        pooled = layers.BatchNormalization(name="norm")(pooled)
    return layers.Dropout(network.dropout, seed=seed, name="dropout")(pooled)


def _l2(network: Network) -> Any:
    return keras.regularizers.L2(network.l2) if network.l2 else None


def feature_model(model: keras.Model) -> keras.Model:
    """The same network up to the pooled features, float32 [N, channels]; weights are shared."""
    return keras.Model(model.input, model.get_layer("pool").output)


def broad_features(size_px: int, weights: Path, batch_norm_momentum: float = 0.98) -> keras.Model:
    """The network of a broad network, uint8 [N, S, S, 3] -> pooled features float32 [N, 1280].

    Args:
        weights: the broad network, or the file of ImageNet's weights from which one is made.
        batch_norm_momentum: how slowly moving statistics follow while it learns.
    """
    recipe = Recipe().with_options(
        {"input.size_px": size_px, "fine_tune.scale": 1.0, "fine_tune.batch_norm_momentum": batch_norm_momentum}
    )
    return feature_model(build(recipe, 1, weights))


def top_model(model: keras.Model) -> keras.Model:
    """The same network from the pooled features on, float32 [N, channels] -> its logits; layers are shared."""
    return keras.Model(model.get_layer("pool").output, model.output, name="top")


def two_columns(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Convert the output of any network to one logit a class, float32 [N, classes].

    The one logit z of a sigmoid becomes (0, z), whose softmax is (1 - sigmoid(z), sigmoid(z)).
    """
    return np.pad(logits, ((0, 0), (1, 0))) if logits.shape[1] == 1 else logits


def unfreeze(model: keras.Model, settings: FineTune) -> int:
    """Unfreeze the last layers or blocks of the backbone, and return the number of trainable weights.

    `all` unfreezes every layer; 0 unfreezes none, so that only the head learns. Blocks are those of
    training.recipe.backbones.block_starts.

    Frozen batch norms are layers that are not trainable, because Keras then keeps their statistics too.
    `base(x, training=False)` has no effect: inside a functional model, Keras 3 overrides it with its own `training`.
    """
    base = model.get_layer("base")
    base.trainable = True
    first = _first_learning(base, settings)
    for place, layer in enumerate(base.layers):  # set every layer: `base.trainable` changes none if it was True already
        keeps = settings.batch_norm == "frozen" and isinstance(layer, layers.BatchNormalization)
        layer.trainable = place >= first and not keeps
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


def _first_learning(base: keras.Model, settings: FineTune) -> int:
    if settings.unfreeze == "all":
        return 0
    if settings.blocks is not None:
        return block_starts([layer.name for layer in base.layers])[-settings.blocks]
    return max(0, len(base.layers) - int(settings.unfreeze))


def _batch_norms(model: keras.Model) -> list[Any]:
    return [layer for layer in model.layers if isinstance(layer, layers.BatchNormalization)]
