"""When a photo was taken: by its EXIF data, else the time of its last change."""

import struct
from datetime import UTC, datetime

from PIL import ExifTags, Image

from contract.formats import readable_formats
from daemon.photo import Photo

_EXIF = "%Y:%m:%d %H:%M:%S"


def taken_at(photo: Photo) -> datetime:
    """Return the camera's local time; only the file's header is read, and damaged metadata counts as none."""
    try:
        with Image.open(photo.path, formats=readable_formats()) as image:
            exif = image.getexif()
            details = exif.get_ifd(ExifTags.IFD.Exif)
            for text in (
                details.get(ExifTags.Base.DateTimeOriginal),
                details.get(ExifTags.Base.DateTimeDigitized),
                exif.get(ExifTags.Base.DateTime),
            ):
                if text:
                    return datetime.strptime(str(text).strip("\0 ")[:19], _EXIF).replace(tzinfo=UTC)
    except (ArithmeticError, AttributeError, LookupError, OSError, SyntaxError, TypeError, ValueError, struct.error):
        pass  # among them: no photo at all, which goes to _failed
    return datetime.fromtimestamp(photo.identity.mtime_ns / 1e9, tz=UTC).astimezone()
