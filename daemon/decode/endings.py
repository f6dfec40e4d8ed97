"""Whether a file looks as if more of its photo is still to come: a look at its head and its end, without decoding.

Some programs append a photo in pieces and close the file in between. Most formats tell where they end. A motion photo
is a JPEG with a film behind it, whose length its metadata announces. The first frame of a torn animation, and the JPEG
of a motion photo without its film, decode without an error, so only this look notices that they are torn.
"""

import os
import re
import stat
import struct
from pathlib import Path

from contract.formats import SNIFF_BYTES, sniff
from daemon.decode.tiff_pages import Read, pages_lack

HEAD_BYTES = 1 << 12
_WINDOW_BYTES = 1 << 20
_MOST_STEPS, _MOST_WINDOWS = 1024, 64
"""Boxes or chunks, and windows, that are looked at: a stranger may write any number of them."""
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_XMP, _MPF = b"http://ns.adobe.com/xap/1.0/\0", b"MPF\0"
_LENGTHS = re.compile(rb"(?:Item:Length|MicroVideoOffset)\s*(?:=\s*[\"']|>)\s*(\d{1,12})")
_MAY_ANNOUNCE = (b"\xe1", b"\xe2")
"""Marks of the segments APP1 and APP2, which hold XMP and the index of a multi-picture file."""
_EOI = b"\xff\xd9"
_MP_ENTRY = 0xB002
_IEND = b"\0\0\0\0IEND\xaeB`\x82"
_SAMSUNG, _SAMSUNG_END = b"MotionPhoto_Data", b"SEFT"


def goes_on(path: Path, size: int) -> bool:
    """Tell whether more of a photo seems to come; False for a file that is no photo or cannot be read."""
    try:
        descriptor = os.open(path, _FLAGS)
    except OSError:
        return False
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return False
        return lacks_its_end(lambda offset, count: os.pread(descriptor, count, offset), size)
    except OSError:
        return False
    finally:
        os.close(descriptor)


def lacks_its_end(read: Read, size: int) -> bool:
    """Tell whether the bytes of a photo seem to be only its beginning.

    Args:
        read: gives its bytes.
        size: how many there are.
    """
    try:
        return _lacks_its_end(read, size)
    except struct.error:  # a directory is cut off, or wrong
        return True


def _lacks_its_end(read: Read, size: int) -> bool:
    head = read(0, SNIFF_BYTES)
    kind = sniff(head)
    if kind == "JPEG":
        return _jpeg_lacks(read, size)
    if kind == "PNG":
        return read(size - len(_IEND), len(_IEND)) != _IEND and _chunks_lack(read, size)
    if kind == "GIF":
        return not read(max(0, size - 1024), 1024).rstrip(b"\0").endswith(b";")
    if kind == "WEBP":
        return size < 8 + int.from_bytes(head[4:8], "little")
    if kind == "BMP":
        return size < int.from_bytes(head[2:6], "little")
    if kind == "TIFF":
        return pages_lack(read, size)
    if kind in ("AVIF", "HEIF") or head[4:8] == b"jP  ":
        return _boxes_lack(read, 0, size)
    return False


def _jpeg_lacks(read: Read, size: int) -> bool:
    head, place = read(0, HEAD_BYTES), 2
    while place < size:
        mark = head[place : place + 4] if place + 4 <= len(head) else read(place, 4)
        if mark[:1] != b"\xff" or mark[1:2] == b"\xda":
            return read(size - 2, 2) != _EOI and _trailer_lacks(read, place, size)
        length = int.from_bytes(mark[2:], "big")
        if place + 2 + length > size:
            return True
        if mark[1:2] in _MAY_ANNOUNCE and _segment_lacks(read, read(place + 4, length - 2), place + 4, size):
            return True
        place += 2 + max(2, length)
    return True


def _segment_lacks(read: Read, segment: bytes, place: int, size: int) -> bool:
    """Tell whether a segment announces a film or another picture behind the JPEG that is not there."""
    if segment.startswith(_XMP):
        lengths = [int(found) for found in _LENGTHS.findall(segment)]
        last = next((length for length in reversed(lengths) if length), 0)  # the last part ends with the file
        start = read(size - last, 8) if last < size else b""
        return bool(last) and start[4:] != b"ftyp" and start[:2] != b"\xff\xd8"
    if not segment.startswith(_MPF):
        return False
    first, behind = _last_picture(segment[len(_MPF) :], place + len(_MPF))
    return first >= size or (behind > size and read(size - 2, 2) != _EOI)  # some programs write wrong lengths


def _last_picture(index: bytes, base: int) -> tuple[int, int]:
    """Return where the last picture of a multi-picture file begins and ends (CIPA DC-007); zeros if none is named."""
    order = "<" if index.startswith(b"II") else ">"
    (first,) = struct.unpack_from(f"{order}I", index, 4)
    (entries,) = struct.unpack_from(f"{order}H", index, first)
    for number in range(entries):
        tag, _, count, offset = struct.unpack_from(f"{order}HHII", index, first + 2 + 12 * number)
        if tag == _MP_ENTRY:
            pictures = [struct.unpack_from(f"{order}4I", index, offset + place) for place in range(0, count, 16)]
            return max(
                ((base + start, base + start + length) for _, length, start, _ in pictures if start), default=(0, 0)
            )
    return 0, 0


def _trailer_lacks(read: Read, place: int, size: int) -> bool:
    """Tell whether a JPEG does not end, or is followed by a film that does not.

    The first end marker after the metadata is that of the JPEG: its compressed data never holds one.
    """
    for _ in range(_MOST_WINDOWS):
        window = read(place, _WINDOW_BYTES)
        found = window.find(_EOI)
        if found >= 0:
            return read(size - 4, 4) != _SAMSUNG_END and _film_lacks(read, place + found + 2, size)
        place += max(1, len(window) - 1)
        if place >= size - 1:
            return True
    return False


def _film_lacks(read: Read, place: int, size: int) -> bool:
    begin = read(place, 256)
    return _SAMSUNG in begin or (begin[4:8] == b"ftyp" and _boxes_lack(read, place, size))


def _boxes_lack(read: Read, place: int, size: int) -> bool:
    """Tell whether the last box of an ISO base media file ends behind the file."""
    for _ in range(_MOST_STEPS):
        if place >= size:
            break
        head = read(place, 16)
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        if length == 0:
            return False  # it reaches to the end, wherever that is
        if length < 8:
            return len(head) < 8
        place += length
    return place > size


def _chunks_lack(read: Read, size: int) -> bool:
    """Tell whether a PNG lacks its last chunk; other bytes may follow that."""
    place = 8
    for _ in range(_MOST_STEPS):
        head = read(place, 8)
        if len(head) < 8:
            return True
        place += 12 + int.from_bytes(head[:4], "big")
        if head[4:] == b"IEND":
            return place > size
    return False
