"""What happens to photos on their way: shrunk, compressed, blurred, darkened, noisy.

The student sees a photo after this, and learns the features that the teacher gives to the clean photo. So it does not
take sharpness for content: to a plain ImageNet network, a small or soft photo looks unlike all sharp ones.
"""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from contract.geometry import Pixels

SHRINK_PX = (48, 160)
"""Sides to which a photo is shrunk; one that is not larger keeps its size."""
QUALITY = (25, 95)
"""Quality of the JPEG that it is stored as."""
BLUR_PX = (0.3, 1.5)
"""Radius of the blur."""
CONTRAST, BRIGHTNESS = (0.75, 1.25), (-30.0, 30.0)
NOISE = (1.0, 10.0)
"""Standard deviation of the noise, of 255."""


def degrade(photo: Pixels, rng: np.random.Generator) -> Pixels:
    """Return a worse photo of the same size; each kind of damage occurs by chance."""
    picture, side = Image.fromarray(photo), photo.shape[0]
    shrunk = int(rng.integers(SHRINK_PX[0], SHRINK_PX[1] + 1))
    if rng.random() < 0.8 and shrunk < side:
        picture = picture.resize((shrunk, shrunk), Image.Resampling.BICUBIC)
    if rng.random() < 0.6:
        picture = _compressed(picture, int(rng.integers(*QUALITY)))
    if picture.width != side:
        picture = picture.resize((side, side), Image.Resampling.BILINEAR)
    if rng.random() < 0.3:
        picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(*BLUR_PX)))
    values: NDArray[np.floating] = np.asarray(picture, np.float32)
    if rng.random() < 0.4:
        values = (values - 128) * rng.uniform(*CONTRAST) + 128 + rng.uniform(*BRIGHTNESS)
    if rng.random() < 0.4:
        values = values + rng.normal(0, rng.uniform(*NOISE), values.shape)
    worse: Pixels = np.clip(values, 0, 255).astype(np.uint8)
    return worse


def _compressed(picture: Image.Image, quality: int) -> Image.Image:
    stored = io.BytesIO()
    picture.save(stored, "JPEG", quality=quality)
    return Image.open(stored).convert("RGB")
