"""Decode one photo in a process of its own, with limits: the child's end. The other is `daemon/decode/isolated.py`."""

import os
import sys
import time
from pathlib import Path

from common.errors import PhotoError, Reason
from contract.geometry import Geometry, to_input
from contract.readers.opening import open_picture
from daemon.decode.contents import read_whole
from daemon.decode.exif_date import pack, taken_in
from daemon.decode.isolated import FAULT, MAX_FAULT_BYTES, PIXELS, READY
from daemon.decode.webp import webp_size
from daemon.process.child import limit_process

MOST_BYTES_A_PIXEL = 20
"""A decoder takes at most this, as measured: 4 to 8 for most formats, 15 for WebP, 18 for JPEG 2000, 20 for floats."""
CPU_S = 120


def _main() -> None:
    mode, size_px, memory_bytes, size, dated = sys.argv[1], *map(int, sys.argv[2:6])
    with os.fdopen(os.dup(1), "wb") as answer, Path(os.devnull).open("wb") as nothing:
        os.dup2(nothing.fileno(), 1)  # keeps what a decoder prints out of the answer
        geometry = Geometry("letterbox" if mode == "letterbox" else "stretch", size_px)
        limit_process(memory_bytes + size, CPU_S)
        data = read_whole(0, size)
        answer.write(READY)
        answer.flush()
        answer.write(_answer(data, geometry, memory_bytes, dated=bool(dated)))


def _answer(data: bytes, geometry: Geometry, memory_bytes: int, *, dated: bool) -> bytes:
    try:
        pixels = to_input(data, geometry).tobytes()
    except PhotoError as fault:
        fault = _for_lack_of_memory(fault, data, memory_bytes)
        return FAULT + f"{fault.reason}\n{fault.detail}".encode(errors="replace")[:MAX_FAULT_BYTES]
    taken = taken_in(data, os.fstat(0).st_mtime, time.time()) if dated else None
    return PIXELS + pack(taken) + pixels


def _for_lack_of_memory(fault: PhotoError, data: bytes, memory_bytes: int) -> PhotoError:
    """Report a picture as too large if its decoder failed, in whatever words, and its size explains that."""
    if fault.reason is not Reason.CORRUPT:
        return fault
    try:
        width, height = webp_size(data) or _size(data)
    except (OSError, SyntaxError, ValueError):
        return fault
    if width * height * MOST_BYTES_A_PIXEL < memory_bytes:
        return fault
    return PhotoError(
        Reason.TOO_LARGE, f"{width} x {height} does not fit into {memory_bytes >> 20} MiB of memory ({fault.detail})"
    )


def _size(data: bytes) -> tuple[int, int]:
    with open_picture(data) as image:
        return image.size


if __name__ == "__main__":
    _main()
