"""How large a WebP is, told before its decoder is asked."""


def webp_size(data: bytes) -> tuple[int, int] | None:
    """Read width and height from a WebP's first 30 bytes (RFC 9649); None for anything else.

    Its decoder takes memory for the whole canvas, twice, before it tells the size.
    """
    if len(data) < 30 or data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        return None
    if data[12:16] == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if data[12:16] == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    return int.from_bytes(data[26:28], "little") & 0x3FFF, int.from_bytes(data[28:30], "little") & 0x3FFF
