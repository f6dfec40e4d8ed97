"""A picture of which a decoder has very much to say."""

import random
import struct


def fax() -> bytes:
    """Return a small TIFF whose 20,000 rows are noise: libtiff says a line for nearly each of them."""
    height, data = 20_000, random.Random(1).randbytes(140_000)
    tags = [
        (256, 3, 64), (257, 4, height), (258, 3, 1), (259, 3, 3), (262, 3, 0), (273, 4, 0), (277, 3, 1),
        (278, 4, height), (279, 4, len(data)), (292, 4, 0),
    ]  # fmt: skip
    begin = 8 + 2 + 12 * len(tags) + 4
    rows = [struct.pack("<HHII", tag, kind, 1, begin if tag == 273 else value) for tag, kind, value in tags]
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + b"".join(rows) + struct.pack("<I", 0) + data
