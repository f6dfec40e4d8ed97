"""Near copies: what people and cameras make of one photo, and how many of them features find."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageOps

from contract.geometry import Pixels

CLOSE = 0.90
"""Cosine from which two photos count as near copies."""


def _moved(photo: Image.Image) -> Image.Image:
    width, height = photo.size
    return photo.crop((round(0.05 * width), round(0.05 * height), width, height))


def _cropped(photo: Image.Image) -> Image.Image:
    width, height = photo.size
    return photo.crop((width // 10, height // 10, width - width // 10, height - height // 10))


def _framed(photo: Image.Image) -> Image.Image:
    return ImageOps.expand(photo, border=max(1, photo.width // 16), fill="white")


COPIES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "burst, moved 5 %": _moved,
    "brighter by 30 %": lambda photo: ImageEnhance.Brightness(photo).enhance(1.3),
    "mirrored": ImageOps.mirror,
    "cropped to 80 %": _cropped,
    "framed": _framed,
}


def copied(photos: Pixels, change: Callable[[Image.Image], Image.Image]) -> Pixels:
    """The same change of each photo, at the same size."""
    side = photos.shape[1]
    return np.stack(
        [np.asarray(change(Image.fromarray(photo)).resize((side, side), Image.Resampling.BILINEAR)) for photo in photos]
    )


def false_share(features: NDArray[np.float32], groups: NDArray[np.str_]) -> float:
    """Share of photos that are close to a photo of another group, float32 [N, F] at unit length."""
    close = features @ features.T >= CLOSE
    return float((close & (groups[:, None] != groups[None, :])).any(axis=1).mean())
