"""When and by which camera a photo was taken, by its EXIF data. Only the header of a file is read."""

import hashlib
import io
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from PIL import ExifTags, Image

from contract.formats import readable_formats

FIRST_YEAR = 1995
"""The year of the first EXIF standard: earlier times come from clocks that were never set."""
_UNSET = datetime(2002, 12, 8, 12, tzinfo=UTC)  # the firmware of many phones writes it into each photo
_ZERO = datetime(1970, 1, 1, tzinfo=UTC)
_DAMAGED = (
    *(ArithmeticError, AttributeError, LookupError, MemoryError, OSError, RuntimeError, SyntaxError, TypeError),
    *(ValueError, struct.error),
)
"""What Pillow's readers raise on damaged headers."""


class Capture(NamedTuple):
    """How a photo was taken.

    Attributes:
        camera: a number for maker and model, 63 bits of their SHA-256; 0 if a photo does not tell camera and time.
        taken_ms: local time of the camera, in milliseconds since 1970.
    """

    camera: int
    taken_ms: int


UNKNOWN = Capture(0, 0)


def capture_of(source: Path | bytes) -> Capture:
    """Read how a photo was taken; UNKNOWN if it does not tell, or is damaged.

    PNG is not asked: cameras do not write it, and Pillow would decode the whole picture to look for EXIF behind it.

    Args:
        source: the photo, or the bytes of its file.
    """
    try:
        file = io.BytesIO(source) if isinstance(source, bytes) else source
        with Image.open(file, formats=readable_formats()) as image:
            return UNKNOWN if image.format == "PNG" else _told(image.getexif())
    except _DAMAGED:
        return UNKNOWN


def _told(exif: Image.Exif) -> Capture:
    camera = "\0".join(_text(exif.get(tag)) for tag in (ExifTags.Base.Make, ExifTags.Base.Model))
    if camera == "\0":
        return UNKNOWN
    details = exif.get_ifd(ExifTags.IFD.Exif)
    local = _text(details.get(ExifTags.Base.DateTimeOriginal))
    taken = datetime.strptime(local, "%Y:%m:%d %H:%M:%S").replace(tzinfo=UTC)
    if taken.year < FIRST_YEAR or taken == _UNSET:
        return UNKNOWN
    number = int.from_bytes(hashlib.sha256(camera.encode()).digest()[:8]) >> 1
    return Capture(number, (taken - _ZERO) // timedelta(milliseconds=1) + _milliseconds(details))


def _milliseconds(details: dict[int, object]) -> int:
    """The digits of the sub-seconds are those behind the point: `5` and `500` are half a second."""
    digits = _text(details.get(ExifTags.Base.SubsecTimeOriginal))
    return int(digits[:3].ljust(3, "0")) if digits.isascii() and digits.isdigit() else 0


def _text(value: object) -> str:
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value or "")
    return text.strip("\0 ")
