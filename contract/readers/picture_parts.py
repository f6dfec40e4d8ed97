"""The parts of a photo's file that make its picture.

Viewers skip what they cannot read beside the picture: texts, colour profiles, sizes in print, frames of an animation.
Pillow gives up on some of it. What is left out here is ancillary by the format's own rules, so a damaged picture stays
a damaged picture.
"""

import io
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, cast

from contract.readers.pieces import Part, Pieces
from contract.readers.tiff_tags import MAX_TAGS, byte_order, is_big

_Parts = Iterator[Part]

MAX_CHUNKS = 100_000
"""Most parts of a file that are looked at, so that a flood of empty ones takes a fraction of a second. A PNG of 512 MiB
in usual chunks of 8 KiB has 65,536."""
_TOO_MANY = "no picture has so many parts"
_TRANSPARENCY_BYTES = {0: range(2, 3), 2: range(6, 7), 3: range(1, 257)}
"""How long the PNG chunk tRNS may be, by the colour type."""
_JPEG_HEADS = {0xE0: (b"JFIF\0", 14), 0xE1: (b"Exif\0\0", 8), 0xEE: (b"Adobe", 12)}
"""Application segments of a JPEG that say how its colours or its turn are meant: beginning and least length."""
_JPEG_MARKER = re.compile(rb"\xff[^\0\xff]")
_START_OF_SCAN, _END_OF_PICTURE = 0xDA, 0xD9
_GIF_BLOCK = re.compile(rb"[!,]")  # an extension, or a picture
_GIF_CONTROL, _GIF_CONTROL_BYTES = 0xF9, 4
_TIFF_TAGS = frozenset(
    (
        *(254, 256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 284, 292, 293, 317, 320, 322, 323, 324, 325, 332),
        *(338, 339, 347, 512, 513, 514, 515, 519, 520, 521, 529, 530, 531, 532),
    )
)
"""Tags of a TIFF that say how its first picture lies there; names, times and profiles are others."""
_WEBP_CHUNKS = (b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF", b"EXIF")
_WEBP_EXIF, _WEBP_FLAGS = 0x08, 0x12
"""Flags of a WebP: it holds EXIF data; it holds an animation or transparency."""


def picture_parts(data: bytes) -> BinaryIO | None:
    """Return a file of the parts of a photo that make its picture, or None if nothing can be left out.

    Args:
        data: the bytes of a PNG, JPEG, GIF, WebP or TIFF; any other has no such parts.
    """
    for magic, parts in _FORMATS:
        if data.startswith(magic):
            try:
                pieces = Pieces(data, parts(data))
            except (AttributeError, IndexError, ValueError, struct.error):  # cut, or no such format
                return None
            return None if len(pieces) == len(data) else cast(BinaryIO, io.BufferedReader(pieces))
    return None


def _png(data: bytes) -> _Parts:
    yield 0, 8
    at, colours = 8, data[25]
    for _ in range(MAX_CHUNKS):
        if at + 12 > len(data):
            break
        end = at + 12 + struct.unpack_from(">I", data, at)[0]
        is_ancillary = data[at + 4] & 0x20  # a small first letter
        if end > len(data):
            break
        if not is_ancillary or _png_keeps(data, at, end, colours):
            yield at, end
        at = end
    else:
        raise ValueError(_TOO_MANY)
    yield at, len(data)  # a cut end stays, so that it is noticed


def _png_keeps(data: bytes, at: int, end: int, colours: int) -> bool:
    name = data[at + 4 : at + 8]
    if name == b"tRNS" and end - at - 12 not in _TRANSPARENCY_BYTES.get(colours, ()):
        return False
    return (
        name in (b"tRNS", b"eXIf") and zlib.crc32(data[at + 4 : end - 4]) == struct.unpack_from(">I", data, end - 4)[0]
    )


def _jpeg(data: bytes) -> _Parts:
    yield 0, 2
    at = 2
    for _ in range(MAX_CHUNKS):
        at = cast(re.Match[bytes], _JPEG_MARKER.search(data, at)).start()  # decoders look for the next marker, too
        marker, length = struct.unpack_from(">xBH", data, at)
        if marker in (_START_OF_SCAN, _END_OF_PICTURE):
            break
        end = at + 2 + max(2, length)
        is_ancillary = 0xE0 <= marker <= 0xEF or marker == 0xFE
        head, least = _JPEG_HEADS.get(marker, (b"", len(data)))
        if not is_ancillary or (length - 2 >= least and data.startswith(head, at + 4)):
            yield at, end
        at = end
    else:
        raise ValueError(_TOO_MANY)
    yield at, len(data)


def _gif(data: bytes) -> _Parts:
    """Yield a GIF without what stands before its first picture, except which colour is clear."""
    at = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)
    yield 0, at
    for _ in range(MAX_CHUNKS):
        at = cast(re.Match[bytes], _GIF_BLOCK.search(data, at)).start()
        if data[at : at + 1] == b",":
            break
        end = _behind_blocks(data, at + 2)
        if data[at + 1] == _GIF_CONTROL and data[at + 2] == _GIF_CONTROL_BYTES:
            yield at, end
        at = end
    else:
        raise ValueError(_TOO_MANY)
    yield at, len(data)


def _tiff(data: bytes) -> _Parts:
    """Yield a TIFF with a directory that names nothing but its first picture; what lies elsewhere keeps its place."""
    order = byte_order(data)
    count, entry, offset, head = ("Q", 20, "Q", 16) if is_big(data) else ("H", 12, "I", 8)
    (start,) = struct.unpack_from(order + offset, data, head // 2)
    (entries,) = struct.unpack_from(order + count, data, start)
    if entries > MAX_TAGS:
        raise ValueError(_TOO_MANY)
    first = start + struct.calcsize(count)
    kept = [data[at : at + entry] for at in range(first, min(first + entries * entry, len(data)), entry)]
    kept = [tag for tag in kept if struct.unpack_from(order + "H", tag)[0] in _TIFF_TAGS]
    if len(kept) == entries:
        raise ValueError("it names nothing else")
    yield data[: head // 2] + struct.pack(order + offset, len(data) + len(data) % 2)
    yield head, len(data)
    yield b"\0" * (len(data) % 2) + struct.pack(order + count, len(kept)) + b"".join(kept) + bytes(8)


def _behind_blocks(data: bytes, at: int) -> int:
    for _ in range(MAX_CHUNKS):
        if not data[at]:
            return at + 1
        at += 1 + data[at]
    raise ValueError(_TOO_MANY)


def _webp(data: bytes) -> _Parts:
    """Yield a WebP with none but the chunks of its picture, and its EXIF data if they are whole."""
    whole = 8 + struct.unpack_from("<I", data, 4)[0]
    if data[8:12] != b"WEBP" or whole > len(data):
        raise ValueError("no WebP, or a cut one, in which anything may be missing")
    kept: dict[int, tuple[bytes, int]] = {}
    at = 12
    for _ in range(MAX_CHUNKS):
        if at + 8 > whole:
            break
        name, end = data[at : at + 4], at + 8 + struct.unpack_from("<I", data, at + 4)[0]
        if name in _WEBP_CHUNKS and end <= whole:
            kept[at] = name, min(whole, end + (end & 1))
        at = end + (end & 1)
    else:
        raise ValueError(_TOO_MANY)
    flags = _WEBP_FLAGS | (_WEBP_EXIF if b"EXIF" in [name for name, _ in kept.values()] else 0)
    yield b"RIFF" + struct.pack("<I", 4 + sum(end - start for start, (_, end) in kept.items())) + b"WEBP"
    for start, (name, end) in kept.items():
        if name == b"VP8X":
            yield data[start : start + 8] + bytes([data[start + 8] & flags])
            yield start + 9, end
        else:
            yield start, end


_FORMATS: tuple[tuple[bytes, Callable[[bytes], _Parts]], ...] = (
    (b"\x89PNG\r\n\x1a\n", _png),
    (b"\xff\xd8\xff", _jpeg),
    (b"GIF8", _gif),
    (b"RIFF", _webp),
    *((magic, _tiff) for magic in (b"II*\0", b"MM\0*", b"II+\0")),
)
