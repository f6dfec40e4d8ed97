"""When a photo was taken: by its EXIF data, else the time of its last change."""

import os
import struct
from datetime import UTC, datetime

from PIL import ExifTags, Image

from contract.formats import readable_formats
from daemon.beneath import open_photo
from daemon.photo import Photo

_DAMAGED = (
    *(ArithmeticError, AttributeError, LookupError, MemoryError, OSError, RuntimeError, SyntaxError, TypeError),
    *(ValueError, struct.error),
)
"""What Pillow's readers raise on damaged headers: 12,000 mutated photos of five formats raised no other."""
_EXIF = "%Y:%m:%d %H:%M:%S"


def taken_at(photo: Photo) -> datetime:
    """Return the camera's local time; only the file's header is read, and damaged metadata counts as none."""
    try:
        with (
            os.fdopen(open_photo(photo.path, photo.relpath), "rb") as file,
            Image.open(file, formats=readable_formats()) as image,
        ):
            if image.format == "PNG" and "exif" not in image.info:
                return _changed_at(photo)  # Pillow would decode all of it to look for EXIF data behind the picture
            exif = image.getexif()
            details = exif.get_ifd(ExifTags.IFD.Exif)
            for text in (
                details.get(ExifTags.Base.DateTimeOriginal),
                details.get(ExifTags.Base.DateTimeDigitized),
                exif.get(ExifTags.Base.DateTime),
            ):
                if text:
                    return datetime.strptime(str(text).strip("\0 ")[:19], _EXIF).replace(tzinfo=UTC)
    except _DAMAGED:
        pass  # among them: no photo at all, which goes to _failed
    return _changed_at(photo)


def _changed_at(photo: Photo) -> datetime:
    try:
        return datetime.fromtimestamp(photo.identity.mtime_ns / 1e9, tz=UTC).astimezone()
    except (ArithmeticError, OSError, ValueError):  # a year that no calendar has
        return datetime.fromtimestamp(0, tz=UTC)
