"""When a photo was taken: by its metadata, else the time of its last change.

The tags are asked in the order of exiftool and Immich: the moment of taking, of digitizing, then the satellite's
clock and the last change. Each is read by itself, so that a damaged one never hides a good one.
"""

import re
import struct
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

from PIL import ExifTags, Image

from contract.readers.opening import open_picture
from daemon.decode.date_text import parse_date
from daemon.photo import Found, Photo

_DAMAGED = (
    *(ArithmeticError, AttributeError, LookupError, MemoryError, OSError, RuntimeError, SyntaxError, TypeError),
    *(ValueError, struct.error),
)
"""What Pillow's readers raise on damaged headers: 12,000 mutated photos of five formats raised no other."""
PACKED_BYTES = 19
_SAME_PHOTO = timedelta(hours=26)
"""The farthest that two zones' clocks are apart: a GPS date, in UTC, and a local time so near are of one moment."""
MAX_XMP_BYTES = 1 << 20
_XMP_TAKEN = ("exif:DateTimeOriginal", "photoshop:DateCreated")
_XMP_MADE = ("exif:DateTimeDigitized", "xmp:CreateDate")
_Ask = Callable[[str], datetime | None]


def taken_in(data: bytes, mtime_s: float, now_s: float) -> datetime | None:
    """Return the camera's local time as a photo's metadata tell it; None if they do not, or are damaged.

    Args:
        data: the bytes of the file.
        mtime_s: when the file last changed, in seconds since 1970.
        now_s: the time now. A date later than this and than `mtime_s` was written by a wrong clock; `mtime_s` counts
            for machines whose own clock is late.
    """
    try:
        parse = partial(parse_date, latest=datetime.fromtimestamp(max(mtime_s, now_s), tz=UTC))
        with open_picture(data) as image:
            return next(filter(None, _dates(image, parse)), None)
    except _DAMAGED:
        return None


def _dates(image: Image.Image, parse: _Ask) -> Iterator[datetime | None]:
    exif = _exif(image)
    details, xmp = _ifd(exif, ExifTags.IFD.Exif), _xmp(image)
    yield parse(_text(details, ExifTags.Base.DateTimeOriginal))
    yield from (parse(text) for text in _in_xmp(xmp, _XMP_TAKEN))
    yield parse(_text(details, ExifTags.Base.DateTimeDigitized))
    yield from (parse(text) for text in _in_xmp(xmp, _XMP_MADE))
    yield _creation_time(image, parse)
    yield _by_gps_or_change(parse(_gps(exif)), parse(_text(exif, ExifTags.Base.DateTime)))


def _by_gps_or_change(gps: datetime | None, changed: datetime | None) -> datetime | None:
    """Choose the local time of the last change, unless the GPS date, which is in UTC, tells that it is of an edit."""
    if gps and changed and abs(gps - changed) > _SAME_PHOTO:
        return gps
    return changed or gps


def _exif(image: Image.Image) -> Image.Exif:
    if image.format == "PNG" and not {"exif", "Raw profile type exif"} & image.info.keys():
        return Image.Exif()  # Pillow would decode all of it to look for EXIF data behind the picture
    try:
        return Image.Image.getexif(image)  # PNG's own would decode the picture as well
    except _DAMAGED:
        return Image.Exif()


def _ifd(exif: Image.Exif, tag: int) -> dict[int, object]:
    try:
        return exif.get_ifd(tag)
    except _DAMAGED:
        return {}


def _text(tags: Image.Exif | dict[int, object], tag: int) -> str:
    try:
        value = tags.get(tag, "")
    except _DAMAGED:
        return ""
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _gps(exif: Image.Exif) -> str:
    """Return the date of the GPS data with its time, if that is whole, as EXIF writes dates."""
    tags = _ifd(exif, ExifTags.IFD.GPSInfo)
    day = _text(tags, ExifTags.GPS.GPSDateStamp).strip("\0 ")
    try:
        hour, minute, second = (int(part) for part in tags[ExifTags.GPS.GPSTimeStamp])  # type: ignore[attr-defined]
    except _DAMAGED:
        return day
    return f"{day[:10]} {hour:02}:{minute:02}:{second:02}"


def _xmp(image: Image.Image) -> bytes:
    xmp = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
    if image.format == "TIFF" and not xmp:
        xmp = getattr(image, "tag_v2", {}).get(ExifTags.Base.XMLPacket, b"")
    if isinstance(xmp, str):
        xmp = xmp[:MAX_XMP_BYTES].encode(errors="replace")
    return xmp[:MAX_XMP_BYTES] if isinstance(xmp, bytes) else b""


def _in_xmp(xmp: bytes, names: tuple[str, ...]) -> Iterator[str]:
    """Yield what XMP says, as an attribute or as an element; a parser would reject what is damaged elsewhere."""
    for name in names:
        for match in re.finditer(rb"<?%s\s*(?:=\s*[\"']|>)\s*([^<\"']{4,40})" % name.encode(), xmp):
            yield match[1].decode("latin-1")


def _creation_time(image: Image.Image, parse: _Ask) -> datetime | None:
    """Read the text that PNG keeps for it. The standard recommends dates as in mail: `14 Jul 2019 10:11:12 +0200`."""
    text = str(image.info.get("Creation Time", "")) if image.format == "PNG" else ""
    if not text:
        return None
    from email.utils import parsedate_to_datetime  # it would load sockets and more into each child

    try:
        return parse(text) or parse(parsedate_to_datetime(text).isoformat())
    except _DAMAGED:
        return None


def pack(taken: datetime | None) -> bytes:
    """Return a time, or that there is none, in `PACKED_BYTES`, for another process."""
    return b" " * PACKED_BYTES if taken is None else taken.replace(tzinfo=None).isoformat(timespec="seconds").encode()


def unpack(packed: bytes) -> datetime | None:
    """Return what was packed; ValueError if it was not packed here."""
    return datetime.fromisoformat(packed.decode("ascii")).replace(tzinfo=UTC) if packed.strip() else None


def taken_at(photo: Photo) -> datetime:
    """Return when a photo was taken, as far as is known, else the time of the file's last change."""
    return photo.read.taken or _changed_at(photo.found)


def _changed_at(found: Found) -> datetime:
    try:
        return datetime.fromtimestamp(found.identity.mtime_ns / 1e9, tz=UTC).astimezone()
    except (ArithmeticError, OSError, ValueError):  # a year that no calendar has
        return datetime.fromtimestamp(0, tz=UTC)
