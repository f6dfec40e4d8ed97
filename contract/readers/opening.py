"""The ways to open a photo: as it is; without its metadata; by a reader for forms that Pillow does not take."""

import io
import struct
from collections.abc import Callable, Iterator
from functools import partial

from PIL import Image

from common.errors import PhotoError
from contract.formats import readable_formats
from contract.readers.picture_parts import picture_parts

DAMAGED = (ArithmeticError, LookupError, OSError, PhotoError, SyntaxError, TypeError, ValueError, struct.error)
"""What readers raise on damaged headers, besides MemoryError and RuntimeError."""


def ways_to_open(data: bytes) -> Iterator[Callable[[], Image.Image]]:
    """Yield what may open a photo, for as long as no way succeeds. Each raises what its reader does.

    Args:
        data: the bytes of the file.
    """
    as_it_is = partial(Image.open, io.BytesIO(data), formats=readable_formats())
    yield as_it_is
    parts = picture_parts(data)
    if parts is not None:
        yield partial(Image.open, parts, formats=readable_formats())
    if data.startswith((b"BM", b"II", b"MM")) and not _opens(as_it_is):
        from contract.readers.bmp_masks import MaskedBmp
        from contract.readers.tiff_samples import SampledTiff

        yield partial(MaskedBmp if data.startswith(b"BM") else SampledTiff, io.BytesIO(data))


def open_picture(data: bytes) -> Image.Image:
    """Open a photo for its size or metadata, without decoding it.

    Raises:
        OSError, SyntaxError, ValueError: no picture can be found in it; damaged bytes may raise almost anything.
    """
    first: Exception | None = None
    for way in ways_to_open(data):
        try:
            return way()
        except DAMAGED as error:
            first = first or error
    raise first or OSError("there is no way to open it")


def _opens(way: Callable[[], Image.Image]) -> bool:
    try:
        way().close()
    except DAMAGED:
        return False
    return True
