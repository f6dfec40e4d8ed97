"""When a photo was taken: by its EXIF data, else the time of its last change."""

import io
import struct
from datetime import UTC, datetime

from PIL import ExifTags, Image

from contract.formats import readable_formats
from daemon.photo import Photo

_DAMAGED = (
    *(ArithmeticError, AttributeError, LookupError, MemoryError, OSError, RuntimeError, SyntaxError, TypeError),
    *(ValueError, struct.error),
)
"""What Pillow's readers raise on damaged headers: 12,000 mutated photos of five formats raised no other."""
PACKED_BYTES = 19
_EXIF = "%Y:%m:%d %H:%M:%S"


def taken_in(data: bytes) -> datetime | None:
    """Return the camera's local time as a photo's bytes tell it; None if they do not, or the metadata is damaged."""
    try:
        with Image.open(io.BytesIO(data), formats=readable_formats()) as image:
            if image.format == "PNG" and "exif" not in image.info:
                return None  # Pillow would decode all of it to look for EXIF data behind the picture
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
        pass
    return None


def pack(taken: datetime | None) -> bytes:
    """Return a time, or that there is none, in `PACKED_BYTES`, for another process."""
    return b" " * PACKED_BYTES if taken is None else taken.replace(tzinfo=None).isoformat(timespec="seconds").encode()


def unpack(packed: bytes) -> datetime | None:
    """Return what was packed; ValueError if it was not packed here."""
    return datetime.fromisoformat(packed.decode("ascii")).replace(tzinfo=UTC) if packed.strip() else None


def taken_at(photo: Photo) -> datetime:
    """Return when a photo was taken, as far as is known, else the time of the file's last change."""
    return photo.taken or _changed_at(photo)


def _changed_at(photo: Photo) -> datetime:
    try:
        return datetime.fromtimestamp(photo.identity.mtime_ns / 1e9, tz=UTC).astimezone()
    except (ArithmeticError, OSError, ValueError):  # a year that no calendar has
        return datetime.fromtimestamp(0, tz=UTC)
