"""Look at one file: one read gives its hash, its type, its size, and whether it decodes to a picture of anything."""

import hashlib
import io
import stat
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from contract.errors import PhotoError, Reason
from contract.formats import SNIFF_BYTES, readable_formats, sniff
from contract.geometry import Geometry, to_input
from training.dataset.cache import look

THUMBNAIL_PX = 16
MAX_FILE_BYTES = 1 << 29  # what the daemon takes; larger ones are no photos, and would fill the memory

_FORMATS_OF = {
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"), ("JPEG",)),
    **dict.fromkeys((".bmp", ".dib"), ("BMP",)),
    **dict.fromkeys((".tif", ".tiff"), ("TIFF",)),
    **dict.fromkeys((".jp2", ".j2k", ".jpx"), ("JPEG2000",)),
    **dict.fromkeys((".ppm", ".pgm", ".pbm", ".pnm"), ("PPM",)),
    **dict.fromkeys((".heif", ".hif", ".avif"), ("HEIF", "AVIF")),  # one container: its brand may name either
    ".heic": ("HEIF",),
    ".png": ("PNG",),
    ".webp": ("WEBP",),
    ".gif": ("GIF",),
}


@dataclass(frozen=True, slots=True)
class Looked:
    """What one look at a file gives.

    digest: SHA-256, empty if the file could not be read. fault: why no picture came out of it, None if one did.
    mistyped: what its content is, if its name says otherwise. width, height: pixels, as stored.
    spread: largest standard deviation of a colour channel, 0..127. look: difference hash (training.dataset.cache.look).
    thumbnail: uint8 [16, 16, 3].
    """

    digest: bytes = b""
    fault: PhotoError | None = None
    mistyped: str = ""
    width: int = 0
    height: int = 0
    spread: float = 0.0
    look: int = 0
    thumbnail: NDArray[np.uint8] | None = None


def look_at(path: Path, geometry: Geometry) -> Looked:
    """Read one file and judge it; whatever is wrong with it is part of the answer, nothing is raised."""
    try:
        data = read_photo(path)
    except PhotoError as error:
        return Looked(fault=error)
    digest, mistyped = hashlib.sha256(data).digest(), _mistyped(path, data)
    try:
        pixels = to_input(data, geometry)
    except PhotoError as error:
        return Looked(digest, error, mistyped if error.reason is not Reason.NOT_A_PHOTO else "")
    with Image.open(io.BytesIO(data), formats=readable_formats()) as image:  # the header alone; it has just decoded
        width, height = image.size
    small = Image.fromarray(pixels).resize((THUMBNAIL_PX, THUMBNAIL_PX), Image.Resampling.BOX)
    spread = max(float(pixels[..., channel].std(dtype=np.float32)) for channel in range(3))
    return Looked(digest, None, mistyped, width, height, spread, look(pixels), np.asarray(small, np.uint8))


def read_photo(path: Path) -> bytes:
    """The file's bytes, or PhotoError: it is no plain file, cannot be read, or is larger than any photo."""
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
    """The type that the content announces, if the name announces another one or none."""
    kind = sniff(data[:SNIFF_BYTES])
    if kind is None:
        return ""
    return "" if kind in _FORMATS_OF.get(path.suffix.lower(), ()) else kind
