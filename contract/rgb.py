"""The colours of any picture as RGB with eight bits."""

from typing import cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert any mode to RGB: transparent pixels become white, 16 bits keep their upper eight."""
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode in ("I", "F") or image.mode.startswith("I;"):
        image = Image.fromarray(_to_eight_bits(np.asarray(image)))
    if image.has_transparency_data:
        rgba = image if image.mode == "RGBA" else image.convert("RGBA")
        rgb = Image.new("RGB", rgba.size, "white")
        rgb.paste(rgba, mask=rgba)
        return rgb
    return image.convert("RGB")


def _to_eight_bits(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Map grey values of unknown depth to 0..255: floats up to 1 by 255, more than 8 bits by 1/256."""
    if values.dtype.kind == "u" and values.dtype.itemsize == 2:  # in either order of bytes
        return cast(NDArray[np.uint8], np.right_shift(values, 8).astype(np.uint8))
    grey = np.nan_to_num(values.astype(np.float32))
    top = float(grey.max(initial=0.0))
    if values.dtype.kind == "f" and top <= 1.0:
        grey *= 255.0
    elif top > 255.0:
        grey /= 256.0
    return np.clip(grey, 0, 255).astype(np.uint8)
