"""The geometry of a model: how the bytes of a photo become the pixels that the network gets.

Training, evaluation, conversion and the daemon all call `to_input`, so that their preprocessing cannot differ. A
mismatch costs MobileNetV2 more than a point of accuracy and is visible nowhere else. Pillow does all the work.
"""

import logging
import struct
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from common.errors import ContractError, PhotoError, Reason
from common.strict_json import short_repr
from common.text import printable
from contract.formats import SNIFF_BYTES, readable_formats, sniff
from contract.readers.opening import ways_to_open
from contract.rgb import resized_rgb

Mode = Literal["stretch", "letterbox"]
Pixels = NDArray[np.uint8]

MAX_HEADER_PIXELS = 400_000_000
"""Largest photo according to its header. A JPEG of that size is decoded at one eighth, which costs little."""
MAX_DECODED_PIXELS = 120_000_000
"""Largest picture in memory (1 to 4 bytes a pixel and its decoder's own), after the reduced decoding of a JPEG."""
MAX_FILE_BYTES = 1 << 29
"""Largest file that counts as a photo: its bytes are in memory while it is decoded."""
MAX_DETAIL = 200
"""Longest part of a decoder's message that is passed on, in characters."""

# Pillow's own limit checks only the header, and would refuse a 200-megapixel JPEG that is decoded at 1/8.
# `_check_size` replaces it for every picture opened here.
Image.MAX_IMAGE_PIXELS = None
# Pillow warns and logs about damaged metadata. That is noise to users, because the picture is read or refused anyway.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
logging.getLogger("PIL").addHandler(logging.NullHandler())
logging.getLogger("PIL").setLevel(logging.CRITICAL)

_DRAFT, _PROGRESSIVE = 17, 5
"""Factors on the largest picture in memory: the largest header, because a JPEG may be decoded at 1/8 of its sides, and
that of a progressive JPEG."""
_OF_DAMAGE = (Reason.CORRUPT, Reason.TRUNCATED)
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True)
class Geometry:
    """How a photo becomes a square.

    Attributes:
        mode: `stretch` fills the square and changes the proportions; `letterbox` keeps them and pads with black.
        size_px: side of the square.
    """

    mode: Mode = "stretch"
    size_px: int = 224

    def __post_init__(self) -> None:
        if self.mode not in get_args(Mode):
            raise ContractError(f"Geometry {short_repr(self.mode)} is unknown; known are: {', '.join(get_args(Mode))}.")
        if type(self.size_px) is not int or not 16 <= self.size_px <= 2048:
            raise ContractError(
                f"An input of {short_repr(self.size_px)} pixels is out of range; pass a size from 16 to 2048."
            )

    @property
    def id(self) -> str:
        """Name of the exact procedure. Each change of `to_input` that alters pixels needs a new number."""
        return f"exif-rgb-{self.mode}-bilinear-1"

    @classmethod
    def from_id(cls, geometry_id: str, size_px: int) -> "Geometry":
        """Return the geometry of that id, or raise ContractError if this version does not know it."""
        for mode in get_args(Mode):
            geometry = cls(mode, size_px)
            if geometry.id == geometry_id:
                return geometry
        raise ContractError(
            f"Geometry {short_repr(geometry_id)} is not known to this version of phototriage; update it."
        )


def to_input(source: bytes | Path | Image.Image, geometry: Geometry, max_pixels: int = MAX_DECODED_PIXELS) -> Pixels:
    """Decode one photo to the input of the network.

    JPEGs are decoded at a reduced scale of at least twice the target (mean error 0.24 of 255, 3 to 7 times faster at
    12 megapixels). Then follow RGB, antialiased bilinear resize, and the EXIF orientation of the small picture.
    Of an animation the first frame is used. A file that cannot be read is tried by the other ways of
    `contract.readers.opening`.

    Args:
        source: the bytes of the file, its path, or a picture that Pillow has opened.
        geometry: geometry of the result.
        max_pixels: largest picture to hold in memory, at most `MAX_DECODED_PIXELS`. A JPEG's header may say more.

    Returns:
        uint8 [size_px, size_px, 3], RGB.

    Raises:
        PhotoError: the photo cannot be read. No bytes can raise another error.
    """
    if isinstance(source, Image.Image):
        with _as_photo_error():
            return _resized(source, geometry, max_pixels)
    data = source if isinstance(source, bytes) else _read(source)
    first: PhotoError | None = None
    for way in ways_to_open(data):
        try:
            with _as_photo_error(), _opened(way, data) as image:
                return _resized(image, geometry, max_pixels)
        except PhotoError as fault:
            if fault.reason not in _OF_DAMAGE:
                raise
            first = first or fault
    raise first or _unidentified(data)


@contextmanager
def _as_photo_error() -> Iterator[None]:
    try:
        yield
    except PhotoError:
        raise
    except MemoryError as error:
        raise PhotoError(Reason.TOO_LARGE, "there was not enough memory to decode it") from error
    except Exception as error:  # the per-photo boundary: decoders raise almost anything on damaged bytes
        words = str(error)[:MAX_DETAIL] or type(error).__name__
        reason = Reason.TRUNCATED if "truncated" in words.lower() else Reason.CORRUPT
        raise PhotoError(reason, f"the decoder stopped: {printable(words)}") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        words = getattr(error, "strerror", None) or error
        raise PhotoError(Reason.UNREADABLE, f"the file could not be read ({words})") from error


def _opened(way: Callable[[], Image.Image], data: bytes) -> Image.Image:
    try:
        return way()
    except UnidentifiedImageError as error:
        raise _unidentified(data) from error


def _unidentified(data: bytes) -> PhotoError:
    if not data:
        return PhotoError(Reason.EMPTY, "the file is empty")
    kind = sniff(data[:SNIFF_BYTES])
    if kind == "HEIF" and kind not in readable_formats():
        return PhotoError(Reason.UNSUPPORTED, "HEIC photos need the package pi-heif, which is missing here")
    if kind is None:
        return PhotoError(Reason.NOT_A_PHOTO, "its content is no photo format that is read here")
    return PhotoError(Reason.CORRUPT, f"it begins like {kind} but its header cannot be read")


def _resized(image: Image.Image, geometry: Geometry, max_pixels: int) -> Pixels:
    # The coefficients of a progressive JPEG fill 2 to 6 bytes a pixel of its header, even if it is decoded at 1/8.
    progressive = min(MAX_DECODED_PIXELS, _PROGRESSIVE * max_pixels)
    _check_size(image, progressive if image.info.get("progressive") else min(MAX_HEADER_PIXELS, _DRAFT * max_pixels))
    image.draft(None, (2 * geometry.size_px, 2 * geometry.size_px))
    _check_size(image, max_pixels)
    image.load()
    orientation = _orientation(image)
    if geometry.mode == "stretch":
        return _turned(resized_rgb(image, (geometry.size_px, geometry.size_px)), orientation)
    return _letterboxed(image, orientation, geometry.size_px)


def _letterboxed(image: Image.Image, orientation: int, size_px: int) -> Pixels:
    scale = size_px / max(image.size)
    width, height = (max(1, round(side * scale)) for side in image.size)
    content = _turned(resized_rgb(image, (width, height)), orientation)
    height, width = content.shape[:2]
    top, left = (size_px - height) // 2, (size_px - width) // 2
    pixels = np.zeros((size_px, size_px, 3), np.uint8)
    pixels[top : top + height, left : left + width] = content
    return pixels


def _turned(rgb: Image.Image, orientation: int) -> Pixels:
    turn = _TURNS.get(orientation)
    return np.asarray(rgb if turn is None else rgb.transpose(turn), np.uint8)


def _check_size(image: Image.Image, limit: int) -> None:
    width, height = image.size
    if width * height > limit:
        detail = f"{width} x {height} is more than {limit // 1_000_000} megapixels, the limit for a {image.format}"
        raise PhotoError(Reason.TOO_LARGE, detail)


def _orientation(image: Image.Image) -> int:
    """Read the EXIF orientation after loading, because some decoders rotate the picture and then clear the tag."""
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except (ArithmeticError, AttributeError, LookupError, OSError, SyntaxError, TypeError, ValueError, struct.error):
        return 1  # damaged metadata does not make a picture unreadable
