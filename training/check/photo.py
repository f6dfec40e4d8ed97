"""Inspect one file: one read gives its hash, type and size, and whether it decodes to a picture that is not blank."""

import hashlib
import stat
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from common.errors import PhotoError, Reason
from contract.fingerprint import difference_hash
from contract.formats import SNIFF_BYTES, sniff
from contract.geometry import MAX_FILE_BYTES, Geometry
from contract.readers.opening import open_picture
from training.dataset.decoding import decode

THUMBNAIL_PX = 16

_FORMATS_OF = {
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"), ("JPEG",)),
    **dict.fromkeys((".bmp", ".dib"), ("BMP",)),
    **dict.fromkeys((".tif", ".tiff"), ("TIFF",)),
    **dict.fromkeys((".jp2", ".j2k", ".jpx"), ("JPEG2000",)),
    **dict.fromkeys((".ppm", ".pgm", ".pbm", ".pnm"), ("PPM",)),
    **dict.fromkeys((".heif", ".hif", ".avif"), ("HEIF", "AVIF")),  # both formats use the same container
    ".heic": ("HEIF",),
    ".png": ("PNG",),
    ".webp": ("WEBP",),
    ".gif": ("GIF",),
}


@dataclass(frozen=True, slots=True)
class PhotoInspection:
    """Result of the inspection of one file.

    Attributes:
        digest: SHA-256; empty if the file could not be read.
        fault: why the file does not decode; None if it does.
        mistyped: the type of its content, if its name states another type.
        width, height: pixels, as stored.
        spread: largest standard deviation of a colour channel, 0..127.
        difference_hash: see contract.fingerprint.difference_hash.
        thumbnail: uint8 [16, 16, 3].
    """

    digest: bytes = b""
    fault: PhotoError | None = None
    mistyped: str = ""
    width: int = 0
    height: int = 0
    spread: float = 0.0
    difference_hash: int = 0
    thumbnail: NDArray[np.uint8] | None = None


def inspect_photo(path: Path, geometry: Geometry) -> PhotoInspection:
    """Read and inspect one file. Its faults are part of the result; nothing is raised."""
    try:
        data = read_photo(path)
    except PhotoError as error:
        return PhotoInspection(fault=error)
    digest, mistyped = hashlib.sha256(data).digest(), _mistyped(path, data)
    try:
        pixels = decode(data, geometry)
    except PhotoError as error:
        return PhotoInspection(digest, error, mistyped if error.reason is not Reason.NOT_A_PHOTO else "")
    with open_picture(data) as image:  # reads only the header of a file that has just been decoded
        width, height = image.size
    small = Image.fromarray(pixels).resize((THUMBNAIL_PX, THUMBNAIL_PX), Image.Resampling.BOX)
    spread = max(float(pixels[..., channel].std(dtype=np.float32)) for channel in range(3))
    return PhotoInspection(
        digest, None, mistyped, width, height, spread, difference_hash(pixels), np.asarray(small, np.uint8)
    )


def read_photo(path: Path) -> bytes:
    """Read the bytes of a photo.

    Raises:
        PhotoError: the path is no regular file, cannot be read, or is larger than the limit.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # opening a FIFO would wait for ever
            raise PhotoError(Reason.UNREADABLE, "it is not a plain file")
        if status.st_size > MAX_FILE_BYTES:
            limit = MAX_FILE_BYTES >> 20
            raise PhotoError(Reason.TOO_LARGE, f"{status.st_size >> 20} MiB is more than {limit} MiB, the limit")
        return path.read_bytes()
    except OSError as error:
        raise PhotoError(Reason.UNREADABLE, f"it cannot be read ({error.strerror})") from error


def _mistyped(path: Path, data: bytes) -> str:
    """The type of the content, if the name states another type or none."""
    kind = sniff(data[:SNIFF_BYTES])
    if kind is None:
        return ""
    return "" if kind in _FORMATS_OF.get(path.suffix.lower(), ()) else kind
