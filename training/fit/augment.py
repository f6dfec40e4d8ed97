"""Augmentation: one affine warp per photo in Pillow, fast enough that the input pipeline is not the bottleneck.

Crop, zoom, shift, rotation, shear and flip form one matrix, which one bilinear resampling applies. Contrast, brightness
and saturation form another matrix over the three colours. Keras layers that do the same inside the model reach only 26
photos a second and core, and disable XLA.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from math import cos, radians, sin, tan

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.recipe.augmentation import Augmentation

FILL = (124, 116, 104)  # ImageNet's mean colour, so that the corners of a rotated photo carry no signal
LUMA = (0.299, 0.587, 0.114)  # share of red, green and blue in grey (ITU-R BT.601)


Matrix = tuple[float, float, float, float, float, float]


def draw_matrix(augmentation: Augmentation, size_px: int, rng: np.random.Generator) -> Matrix:
    """Draw one warp: the six numbers of Pillow, which map a pixel of the output to its position in the input."""
    scale = rng.uniform(augmentation.crop, 1.0)
    stretch = np.exp(rng.uniform(-1, 1) * np.log1p(augmentation.aspect) / 2)
    width, height = min(1.0, scale * stretch), min(1.0, scale / stretch)
    free = np.array([1 - width, 1 - height]) / 2 + augmentation.shift
    dx, dy = rng.uniform(-1, 1, size=2) * free * size_px
    angle = radians(rng.uniform(-1, 1) * augmentation.rotation_deg)
    shear = tan(radians(rng.uniform(-1, 1) * augmentation.shear_deg))
    mirror = -1.0 if augmentation.flip and rng.random() < 0.5 else 1.0
    # Later additions are drawn last, so that the warps of a seed do not change.
    zoom = 1 + rng.uniform(-1, 1) * augmentation.zoom
    return _about_centre(size_px, zoom * width * mirror, zoom * height, angle, shear, dx, dy)


def _about_centre(size_px: int, sx: float, sy: float, angle: float, shear: float, dx: float, dy: float) -> Matrix:
    a, b = sx * cos(angle), sy * (shear * cos(angle) - sin(angle))
    d, e = sx * sin(angle), sy * (shear * sin(angle) + cos(angle))
    centre = size_px / 2
    return a, b, centre + dx - (a + b) * centre, d, e, centre + dy - (d + e) * centre


def draw_colours(augmentation: Augmentation, mean: float, rng: np.random.Generator) -> tuple[float, ...]:
    """Draw one change of colours: the twelve numbers of Pillow, three rows of red, green, blue and 1.

    Args:
        mean: mean of all values of the photo, 0 to 255; contrast keeps it.
    """
    contrast, brightness, saturation = 1 + rng.uniform(-1, 1, size=3) * (
        augmentation.contrast,
        augmentation.brightness,
        augmentation.saturation,
    )
    mixed = saturation * np.eye(3) + (1 - saturation) * np.array(LUMA)
    moved = np.full((3, 1), (1 - contrast) * mean)
    return tuple((brightness * np.hstack([contrast * mixed, moved])).ravel().tolist())


def warp(photo: NDArray[np.uint8], matrix: Matrix, colours: tuple[float, ...] = ()) -> NDArray[np.uint8]:
    """Apply an optional change of colours and then one warp to uint8 [S, S, 3]; the shape stays."""
    image = Image.fromarray(photo)
    if colours:
        image = image.convert("RGB", colours)
    moved = image.transform(image.size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR, fillcolor=FILL)
    return np.asarray(moved)


def augment(photo: NDArray[np.uint8], augmentation: Augmentation, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Augment one photo, uint8 [S, S, 3], with draws from its own generator; the warp is drawn first."""
    matrix = draw_matrix(augmentation, photo.shape[0], rng)
    colours = draw_colours(augmentation, float(photo.mean()), rng) if augmentation.colours else ()
    return warp(photo, matrix, colours)


def augment_batch(
    photos: Sequence[NDArray[np.uint8]],
    augmentation: Augmentation,
    rngs: Iterable[np.random.Generator],
    pool: ThreadPoolExecutor | None = None,
) -> NDArray[np.uint8]:
    """Augment each photo of a batch with draws from its own generator: uint8 [N, S, S, 3]."""
    if augmentation.idle:
        return np.stack(photos)
    draws = list(rngs)
    mapped = (pool.map if pool else map)(augment, photos, [augmentation] * len(draws), draws)
    return np.stack(list(mapped))
