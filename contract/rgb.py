"""The colours of any picture as RGB with eight bits, in the size that is wanted.

RGB takes four bytes a pixel in memory, a palette or grey picture one. So a large picture of another mode is converted
and narrowed in bands of rows, and never as a whole.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

BAND_PIXELS = 2_000_000
"""Pixels of a band. Smaller pictures are converted at once."""


def resized_rgb(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Convert any mode to RGB and resize, bilinear and antialiased.

    Transparent pixels become white, 16 bits keep their upper eight. Pillow resizes rows first and columns then, with
    eight bits between, so that the result does not depend on the bands.
    """
    if _is_rgb(image) or image.width * image.height <= BAND_PIXELS:
        return to_rgb(image).resize(size, Image.Resampling.BILINEAR)
    top = max(map(_top, _bands(image))) if image.mode in ("I", "F") else None
    narrow, row = Image.new("RGB", (size[0], image.height)), 0
    for band in _bands(image):
        narrow.paste(to_rgb(band, top).resize((size[0], band.height), Image.Resampling.BILINEAR), (0, row))
        row += band.height
    return narrow.resize(size, Image.Resampling.BILINEAR)


def to_rgb(image: Image.Image, top: float | None = None) -> Image.Image:
    """Convert any mode to RGB: transparent pixels become white, 16 bits keep their upper eight.

    Args:
        top: largest grey value of the whole picture; by default that of `image`.
    """
    if _is_rgb(image):
        return image
    if image.mode in ("I", "F") or image.mode.startswith("I;"):
        image = Image.fromarray(_to_eight_bits(np.asarray(image), _top(image) if top is None else top))
    if image.has_transparency_data:
        rgba = image if image.mode == "RGBA" else image.convert("RGBA")
        rgb = Image.new("RGB", rgba.size, "white")
        rgb.paste(rgba, mask=rgba)
        return rgb
    return image.convert("RGB")


def _is_rgb(image: Image.Image) -> bool:
    return image.mode == "RGB" and "transparency" not in image.info


def _bands(image: Image.Image) -> Iterator[Image.Image]:
    rows = max(1, BAND_PIXELS // image.width)
    for start in range(0, image.height, rows):
        yield image.crop((0, start, image.width, min(start + rows, image.height)))


def _top(image: Image.Image) -> float:
    return float(_grey(np.asarray(image)).max(initial=0.0))


def _grey(values: NDArray[np.generic]) -> NDArray[np.float32]:
    return np.nan_to_num(values.astype(np.float32))


def _to_eight_bits(values: NDArray[np.generic], top: float) -> NDArray[np.uint8]:
    """Map grey values of unknown depth to 0..255: floats up to 1 by 255, more than 8 bits by 1/256."""
    if values.dtype.kind == "u" and values.dtype.itemsize == 2:  # in either order of bytes
        return np.asarray(np.right_shift(values, 8).astype(np.uint8))
    grey = _grey(values)
    if values.dtype.kind == "f" and top <= 1.0:
        grey *= 255.0
    elif top > 255.0:
        grey /= 256.0
    return np.clip(grey, 0, 255).astype(np.uint8)
