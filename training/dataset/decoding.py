"""Decode photos in several threads under one memory budget: those of normal size side by side, larger ones in turn."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from common.errors import PhotoError, Reason
from contract.geometry import Geometry, Pixels, to_input

PARALLEL_PIXELS = 24_000_000
"""Larger pictures are decoded one at a time, because each takes up to 20 bytes a pixel."""
PARALLEL_BYTES = 32 << 20
"""Larger files are read one at a time."""

_turn = threading.RLock()


@contextmanager
def turn_of(size_bytes: int) -> Iterator[None]:
    """Wait until no other large photo is held in memory, if a file of this size is one."""
    if size_bytes <= PARALLEL_BYTES:
        yield
        return
    with _turn:
        yield


def decode(data: bytes, geometry: Geometry) -> Pixels:
    """Decode one photo as `to_input` does; a large one waits for its turn.

    Raises:
        PhotoError: the photo cannot be read.
    """
    try:
        return to_input(data, geometry, PARALLEL_PIXELS)
    except PhotoError as fault:
        if fault.reason is not Reason.TOO_LARGE:
            raise
    with _turn:
        return to_input(data, geometry)
