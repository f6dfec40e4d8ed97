"""Whether all pages of a TIFF or BigTIFF are there: their directories, and the ends of their pixels."""

import struct
from collections.abc import Callable
from typing import NamedTuple

Read = Callable[[int, int], bytes]
"""Returns bytes of a file from an offset, the first number, and as many as the second one says, or fewer at the end."""

_MOST_PAGES, _MOST_ENTRIES = 64, 512
_STARTS, _LENGTHS = (273, 324), (279, 325)
"""Tags of the strips or tiles of a page."""
_NUMBERS = {3: "H", 4: "I", 16: "Q"}


class _Kind(NamedTuple):
    """How a file writes numbers: their order, how it counts entries, an entry's head, and an offset."""

    order: str
    entries: str
    head: str
    offset: str

    def size(self, form: str) -> int:
        return struct.calcsize(self.order + form)

    def number(self, form: str, data: bytes) -> int:
        (number,) = struct.unpack_from(self.order + form, data)
        return int(number)


def pages_lack(read: Read, size: int) -> bool:
    """Tell whether a page of a TIFF, or the directory of one, lies behind the end of the file.

    Raises:
        struct.error: a directory is cut off, or wrong.
    """
    head = read(0, 16)
    big = head[2:4] in (b"+\0", b"\0+")
    kind = _Kind("<" if head.startswith(b"II") else ">", *(("Q", "HHQ", "Q") if big else ("H", "HHI", "I")))
    place = kind.number(kind.offset, head[8 if big else 4 :])
    for _ in range(_MOST_PAGES):
        if place == 0:
            return False
        if place >= size:
            return True
        entries = kind.number(kind.entries, read(place, 8))
        place += kind.size(kind.entries)
        length = kind.size(kind.head + kind.offset)
        after = place + entries * length
        if after + kind.size(kind.offset) > size:
            return True
        directory = read(place, min(entries, _MOST_ENTRIES) * length)
        if _end_of_pixels(kind, [directory[at : at + length] for at in range(0, len(directory), length)], read) > size:
            return True
        place = kind.number(kind.offset, read(after, 8))
    return False


def _end_of_pixels(kind: _Kind, entries: list[bytes], read: Read) -> int:
    """Return where the last strip or tile of a page ends; 0 if the page does not say."""
    start = length = 0
    for entry in entries:
        tag = kind.number("H", entry)
        if tag in _STARTS:
            start = _last_number(kind, entry, read)
        elif tag in _LENGTHS:
            length = _last_number(kind, entry, read)
    return start + length if start and length else 0


def _last_number(kind: _Kind, entry: bytes, read: Read) -> int:
    """Return the last number of an entry, which lies in the entry itself if all its numbers fit into it."""
    _, code, count = struct.unpack_from(kind.order + kind.head, entry)
    form = _NUMBERS.get(code)
    if form is None or not count:
        return 0
    size, value = kind.size(form), entry[kind.size(kind.head) :]
    skipped = (count - 1) * size
    if skipped + size <= len(value):
        return kind.number(form, value[skipped:])
    return kind.number(form, read(kind.number(kind.offset, value) + skipped, size))
