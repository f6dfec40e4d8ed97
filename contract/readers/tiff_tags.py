"""The numbers that the first directory of a TIFF holds, in either order of bytes, also of a BigTIFF."""

import struct

MAX_TAGS = 4096
MAX_NUMBERS = 200_000
"""Most numbers of one tag: a strip of each row of the largest photo needs a tenth of it."""
_CODES = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q"}


def byte_order(data: bytes) -> str:
    """Return the sign of `struct` for the order of bytes; SyntaxError if it is no TIFF."""
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None or struct.unpack_from(order + "H", data, 2)[0] not in (42, 43):
        raise SyntaxError("no TIFF")
    return order


def is_big(data: bytes) -> bool:
    """Tell whether a TIFF has offsets of 64 bits."""
    return 43 in data[2:4]


def read_tags(data: bytes) -> dict[int, tuple[int, ...]]:
    """Return the whole numbers of the first directory, by their tags.

    Raises:
        struct.error, SyntaxError: it is no TIFF, or cut.
    """
    order = byte_order(data)
    count, entry, offset, room, head = ("Q", 20, "Q", 8, 8) if is_big(data) else ("H", 12, "I", 4, 4)
    (start,) = struct.unpack_from(order + offset, data, head)
    (entries,) = struct.unpack_from(order + count, data, start)
    if entries > MAX_TAGS:
        raise SyntaxError("no picture has so much to say")
    start += struct.calcsize(count)
    tags = {}
    for at in range(start, start + entries * entry, entry):
        tag, kind, numbers = struct.unpack_from(order + "HH" + offset, data, at)
        code = _CODES.get(kind)
        if code is None or numbers > MAX_NUMBERS:
            continue
        form, place = f"{order}{numbers}{code}", at + entry - room
        if struct.calcsize(form) > room:
            (place,) = struct.unpack_from(order + offset, data, place)
        tags[tag] = struct.unpack_from(form, data, place)
    return tags
