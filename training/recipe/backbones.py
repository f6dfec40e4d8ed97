"""The backbones that a recipe may name: their pixel scaling, ImageNet weights and blocks."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from training.errors import RecipeError, WeightsError

if TYPE_CHECKING:
    import keras

_KERAS = "https://storage.googleapis.com/tensorflow/keras-applications"
_NO_TOP = "weights_tf_dim_ordering_tf_kernels_notop.h5"

Numbers = float | tuple[float, ...]


@dataclass(frozen=True)
class PixelScaling:
    """Pixel scaling of the weights: RGB from 0 to 255, times `scale`, plus `offset`, for each channel or all.

    Attributes:
        bgr: the weights were trained with blue first. Here red is always first: the channels of the first kernel are
            reversed when the weights are loaded, so that no layer has to reorder channels.
    """

    scale: Numbers
    offset: Numbers
    bgr: bool = False


_TO_ONE = PixelScaling(1 / 127.5, -1.0)
_MEAN_OFF = PixelScaling(1.0, (-123.68, -116.779, -103.939), bgr=True)
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_STANDARD = PixelScaling(
    tuple(1 / (255 * deviation) for deviation in _DEVIATION),
    tuple(-mean / deviation for mean, deviation in zip(_MEAN, _DEVIATION, strict=True)),
)


@dataclass(frozen=True)
class Backbone:
    """A network of keras.applications without its classifier.

    Attributes:
        smallest_px: smallest side of the input.
        blocks: number of blocks; see `block_starts`.
        url: of its ImageNet weights.
        md5: of that file, as Keras gives it; empty where Keras gives none.
        entry: its first layer behind scaling of its own, which is left out here; empty where it has none.
            EfficientNet's divides by 255 and normalises; Keras adds a layer to that only when it fetches the weights
            itself.
    """

    smallest_px: int
    pixels: PixelScaling
    blocks: int
    url: str
    md5: str = ""
    entry: str = ""

    @property
    def file(self) -> str:
        """Name of the weights file."""
        return self.url.rpartition("/")[2]


BACKBONES: Mapping[str, Backbone] = MappingProxyType(
    {
        "MobileNetV2": Backbone(
            32, _TO_ONE, 17, f"{_KERAS}/mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"
        ),
        "EfficientNetB0": Backbone(
            32,
            _STANDARD,
            16,
            "https://storage.googleapis.com/keras-applications/efficientnetb0_notop.h5",
            "50bc09e76180e00e4465e1a485ddc09d",
            entry="stem_conv_pad",
        ),
        "VGG16": Backbone(32, _MEAN_OFF, 5, f"{_KERAS}/vgg16/vgg16_{_NO_TOP}", "6d6bbae143d832006294945121d1f1fc"),
        "ResNet50": Backbone(
            32, _MEAN_OFF, 16, f"{_KERAS}/resnet/resnet50_{_NO_TOP}", "4d473c1dd8becc155b73f8504c6f6626"
        ),
        "ResNet101": Backbone(
            32, _MEAN_OFF, 33, f"{_KERAS}/resnet/resnet101_{_NO_TOP}", "88cf7a10940856eca736dc7b7e228a21"
        ),
        "Xception": Backbone(
            71, _TO_ONE, 14, f"{_KERAS}/xception/xception_{_NO_TOP}", "b0042744bf5b25fce3cb969f33bebb97"
        ),
        "InceptionResNetV2": Backbone(
            75,
            _TO_ONE,
            42,
            f"{_KERAS}/inception_resnet_v2/inception_resnet_v2_{_NO_TOP}",
            "d19885ff4a710c122648d3b5c3b684e4",
        ),
    }
)
"""Files and hashes as in keras.applications 3.15."""


def check_backbone(name: str, size_px: int, blocks: int | None) -> None:
    """Raise RecipeError if photos of that size are too small for the backbone, or it has fewer blocks."""
    backbone = BACKBONES[name]
    if size_px < backbone.smallest_px:
        raise RecipeError(
            f"{name} needs photos of {backbone.smallest_px} px or more, but the recipe trains on {size_px} px. Raise"
            " input.size_px or fine_tune.scale, or choose another backbone."
        )
    if blocks is not None and blocks > backbone.blocks:
        raise RecipeError(
            f"The setting fine_tune.unfreeze is {blocks} blocks, but {name} has {backbone.blocks}. Pass fewer, or"
            " 'all'."
        )


def make_backbone(name: str, size_px: int, weights: Path | None = None) -> "keras.Model":
    """A backbone called `base`: float32 [N, S, S, 3] as its `pixels` say -> feature maps [N, s, s, channels].

    Args:
        weights: Keras's file of ImageNet weights, of any input size; None for random weights.

    Raises:
        WeightsError: the file is damaged or of another network.
    """
    import keras

    backbone, shape = BACKBONES[name], (size_px, size_px, 3)
    whole = getattr(keras.applications, name)(include_top=False, input_shape=shape, weights=None, name="base")
    if weights is not None:
        _load(whole, name, weights)
    if not backbone.entry:
        return whole
    return keras.Model(whole.get_layer(backbone.entry).input, whole.output, name="base")


def _load(base: "keras.Model", name: str, weights: Path) -> None:
    import keras

    try:
        base.load_weights(weights)
    except (OSError, ValueError, KeyError) as error:
        raise WeightsError(
            f"The weights file {weights} cannot be loaded into {name} ({error}). Delete the file: the next"
            " training fetches it again."
        ) from error
    if BACKBONES[name].pixels.bgr:
        first = next(layer for layer in base.layers if isinstance(layer, keras.layers.Conv2D))
        kernel, *bias = first.get_weights()
        first.set_weights([kernel[:, :, ::-1], *bias])


_OPENING = re.compile(r"(expanded_conv|block_\d+|conv\d_block\d+|block\d+[a-z]?)_")
_CLOSING = re.compile(r"mixed_[67]a|block(35|17|8)_\d+_ac")
_LAST_OF_STEM = "mixed_5b"


def block_starts(names: Sequence[str]) -> list[int]:
    """Where the blocks of a backbone begin, from the names of its layers in their order.

    Blocks are those of its paper: MobileNetV2's 17 inverted residuals, EfficientNetB0's 16, the 5 groups of
    convolutions of VGG16, the 16 residual units of ResNet50 and 33 of ResNet101, Xception's 14, and of
    InceptionResNetV2 the 10 + 20 + 10 residual modules and the reduction before each change of size, 42. Layers
    before the first block (the stem) belong to no block. Layers after the last block, such as the last convolution of
    MobileNetV2, belong to that block.
    """
    if _LAST_OF_STEM in names:  # layers inside its modules have no names of their own; the last one has
        ends = [place for place, name in enumerate(names) if name == _LAST_OF_STEM or _CLOSING.fullmatch(name)]
        return [end + 1 for end in ends]
    starts, current = list[int](), ""
    for place, name in enumerate(names):
        found = _OPENING.match(name)
        if found and found[1] != current:
            current = found[1]
            starts.append(place)
    return starts
