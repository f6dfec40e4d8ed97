"""Real photo files of every format, made by Pillow, and the settings of the property tests."""

import io
from functools import cache
from typing import Any

from hypothesis import HealthCheck, settings
from PIL import ExifTags, Image

from common.drawing import draw_scene
from contract.geometry import Geometry

SMALL = Geometry(size_px=32)

LOSSLESS: dict[str, dict[str, Any]] = {"PNG": {}, "TIFF": {}, "WEBP": {"lossless": True, "exact": True}}
"""Formats that carry an EXIF orientation and every pixel as it was, with how to save them."""

FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    "jpeg": ("JPEG", {"quality": 90}),
    "progressive": ("JPEG", {"quality": 90, "progressive": True}),
    "png": ("PNG", {}),
    "gif": ("GIF", {}),
    "bmp": ("BMP", {}),
    "dib": ("DIB", {}),
    "tiff": ("TIFF", {}),
    "tiff-lzw": ("TIFF", {"compression": "tiff_lzw"}),
    "tiff-jpeg": ("TIFF", {"compression": "jpeg"}),
    "webp": ("WEBP", {"quality": 90}),
    "avif": ("AVIF", {"quality": 90}),
    "jpeg2000": ("JPEG2000", {}),
    "ppm": ("PPM", {}),
    "mpo": ("MPO", {"save_all": True, "append_images": [Image.new("RGB", (160, 96), "white")]}),
}
"""Every format that is read, with Pillow's name of it and how to save it."""

QUICK = settings(deadline=None, database=None, suppress_health_check=list(HealthCheck))


@cache
def scene(width: int = 160, height: int = 96) -> Image.Image:
    """Draw a picture that no turn and no mirroring leaves as it is."""
    return draw_scene("street", 3, (width, height))


def encoded(image: Image.Image, pillow_format: str, **options: Any) -> bytes:
    """Save a picture in memory."""
    out = io.BytesIO()
    image.save(out, pillow_format, **options)
    return out.getvalue()


def example(name: str) -> bytes:
    """Return the scene as a file of one of `FORMATS`."""
    pillow_format, options = FORMATS[name]
    return encoded(scene(), pillow_format, **options)


def turned_exif(orientation: int) -> Image.Exif:
    """Make EXIF data that hold an orientation and nothing else."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    return exif
