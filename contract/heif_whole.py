"""Whether all parts of a HEIC photo are there.

Phones write a photo as dozens of tiles, and libheif leaves a tile blank that it cannot decode, without a word. A file
whose end is missing, or was never written, would else be taken for a photo of the part that came.
"""

import struct
from collections.abc import Iterator

MAX_ITEMS = 20_000
"""Items that are looked at; libheif refuses a file of more than 1,000."""
_CODED = b"hvc1"
_Box = tuple[bytes, int, int]


def check_whole(data: memoryview) -> None:
    """Raise OSError if bytes of the picture that is shown are missing; other damage is left to the decoder.

    Args:
        data: the whole file.
    """
    try:
        for kind, start, end in _boxes(data, 0, len(data)):
            if kind in (b"meta", b"mdat") and end > len(data):
                raise OSError("image file is truncated")
            if kind == b"meta":
                inner = {name: (first, last) for name, first, last in _boxes(data, start + 4, end)}
                needed = _needed_items(data, inner)
                for item, at, length in _places(data, *inner[b"iloc"]):
                    if item in needed and (at + length > len(data) or not any(data[at : at + 8])):
                        raise OSError("image file is truncated: some of its parts are missing")
    except (LookupError, struct.error):
        return


def _needed_items(data: memoryview, inner: dict[bytes, tuple[int, int]]) -> set[int]:
    """Return the numbers of the coded pictures that the primary one is, or is made of."""
    at = inner[b"pitm"][0]
    (primary,) = struct.unpack_from(">4xH" if data[at] == 0 else ">4xI", data, at)
    coded = set(_coded_items(data, *inner[b"iinf"]))
    start, end = inner.get(b"iref", (0, 0))
    form = ">HH" if data[start] == 0 else ">IH"
    for kind, first, _ in _boxes(data, start + 4, end):
        item, count = struct.unpack_from(form, data, first)
        if kind == b"dimg" and item == primary:
            parts = struct.unpack_from(f">{count}{form[1]}", data, first + struct.calcsize(form))
            return coded & {primary, *parts}
    return coded & {primary}


def _boxes(data: memoryview, at: int, end: int) -> Iterator[_Box]:
    while at + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, at)
        head = 8
        if size == 1:
            (size,), head = struct.unpack_from(">Q", data, at + 8), 16
        yield kind, at + head, end if size == 0 else at + size
        if size < head:
            return
        at += size


def _coded_items(data: memoryview, at: int, end: int) -> Iterator[int]:
    """Yield the numbers of the pictures that hold pixels."""
    count_bytes = 2 if data[at] == 0 else 4
    for kind, start, _ in _boxes(data, at + 4 + count_bytes, end):
        form = ">4xH2x4s" if data[start] == 2 else ">4xI2x4s"
        item, its_kind = struct.unpack_from(form, data, start)
        if kind == b"infe" and its_kind == _CODED:
            yield item


def _places(data: memoryview, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield the number of each item, and where its parts begin in the file and how long they are."""
    version, sizes = data[at], struct.unpack_from(">H", data, at + 4)[0]
    offset_bytes, length_bytes, base_bytes = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
    index_bytes = sizes & 15 if version else 0
    id_bytes = 4 if version == 2 else 2
    reader = _Reader(data, at + 6)
    for _ in range(min(reader.number(id_bytes), MAX_ITEMS)):
        item = reader.number(id_bytes)
        method = reader.number(2) & 15 if version else 0
        reader.number(2)
        base = reader.number(base_bytes)
        for _ in range(reader.number(2)):
            reader.number(index_bytes)
            start, length = base + reader.number(offset_bytes), reader.number(length_bytes)
            if reader.at > end:
                return
            if method == 0:  # otherwise it lies within the box of metadata
                yield item, start, length


class _Reader:
    def __init__(self, data: memoryview, at: int) -> None:
        self.data, self.at = data, at

    def number(self, size: int) -> int:
        self.at += size
        return int.from_bytes(self.data[self.at - size : self.at])
