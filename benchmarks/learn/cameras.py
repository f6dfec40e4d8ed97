"""Other cameras, made from training photos: settings are chosen on them and on nothing that is reported."""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

from contract.geometry import Pixels


def _dim(photo: Image.Image) -> Image.Image:
    """Dark, blurred and yellow."""
    red, green, blue = ImageEnhance.Brightness(photo.filter(ImageFilter.GaussianBlur(1.5))).enhance(0.5).split()
    return Image.merge("RGB", (red, green, blue.point([round(0.7 * value) for value in range(256)])))


def _pale(photo: Image.Image) -> Image.Image:
    """Bright, of little contrast, and blue."""
    red, green, blue = ImageEnhance.Contrast(ImageEnhance.Brightness(photo).enhance(1.3)).enhance(0.4).split()
    return Image.merge("RGB", (red.point([round(0.85 * value) for value in range(256)]), green, blue))


def _small(photo: Image.Image) -> Image.Image:
    """Few pixels, and nearly grey."""
    tiny = photo.resize((36, 36), Image.Resampling.BILINEAR).resize(photo.size, Image.Resampling.BILINEAR)
    return ImageEnhance.Color(tiny).enhance(0.2)


CAMERAS: dict[str, Callable[[Image.Image], Image.Image]] = {"dim": _dim, "pale": _pale, "small": _small}


def taken_by(camera: str, photos: Pixels) -> Pixels:
    """The photos as that camera would have taken them, uint8 [N, S, S, 3]."""
    return np.stack([np.asarray(CAMERAS[camera](Image.fromarray(photo))) for photo in photos])
