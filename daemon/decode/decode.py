"""One read of a photo's bytes: its hash and the network's input come from the same ones.

A photo that cannot be read is a result with a reason, in its place in the batch, and never an exception.
"""

import hashlib
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from common.errors import PhotoError, Reason
from contract.geometry import Geometry, Pixels
from daemon.decode.contents import check_unchanged, hash_whole, opened, read_whole
from daemon.decode.guard import Guard
from daemon.decode.isolated import NeedsIsolationError, StoppedError
from daemon.photo import NOT_READ, Found, Read


class Decoder(Protocol):
    """What makes pixels of bytes, with more or less care."""

    def take_room(self, found: Found) -> None:
        """Take room for a photo's bytes, or raise NeedsIsolationError or StoppedError."""

    def give_room(self, found: Found) -> None:
        """Give it back."""

    def pixels(self, found: Found, data: bytes, geometry: Geometry, *, dated: bool) -> tuple[Pixels, datetime | None]:
        """Return the network's input and the capture time, or raise PhotoError or NeedsIsolationError."""


def decode(found: Found, geometry: Geometry, wall_s: float, guard: Guard, *, dated: bool = False) -> Read:
    """Do what `decode_here` does, and where that is not enough `decode_alone`."""
    read = decode_here(found, geometry, wall_s, guard, dated=dated)
    return decode_alone(found, geometry, wall_s, guard, dated=dated) if read.must_be_isolated else read


def decode_here(found: Found, geometry: Geometry, wall_s: float, decoder: Decoder, *, dated: bool = False) -> Read:
    """Read, hash and decode a photo in this process.

    Args:
        found: the photo.
        geometry: the model's.
        wall_s: the time now, to tell how long ago the file changed.
        decoder: makes the pixels.
        dated: whether to look when the photo was taken.
    """
    return _as_far_as_possible(_steps_here(found, geometry, wall_s, decoder, dated=dated))


def decode_alone(found: Found, geometry: Geometry, wall_s: float, guard: Guard, *, dated: bool = False) -> Read:
    """Do the same in a process with limits, which reads the file itself: its bytes are nowhere else in memory."""
    return _as_far_as_possible(_steps_alone(found, geometry, wall_s, guard, dated=dated))


def _as_far_as_possible(steps: Iterator[Read]) -> Read:
    """Return what the last step knew, with the fault that ended the steps."""
    read = NOT_READ
    try:
        for read in steps:  # noqa: B007 - the last one counts
            pass
    except PhotoError as fault:
        # A new error, because the one that was raised keeps the bytes of the photo in memory through its traceback.
        plain = PhotoError(fault.reason, fault.detail)
        return replace(read, fault=plain, must_be_isolated=isinstance(fault, NeedsIsolationError))
    except StoppedError:
        return read
    except MemoryError:
        return replace(read, fault=PhotoError(Reason.UNREADABLE, "there was not enough memory to read it"))
    return read


def _steps_here(found: Found, geometry: Geometry, wall_s: float, decoder: Decoder, *, dated: bool) -> Iterator[Read]:
    with opened(found) as (descriptor, changed_s):
        yield (read := Read(wall_s - changed_s))
        decoder.take_room(found)
        try:
            began_s = time.perf_counter()
            data = read_whole(descriptor, found.identity.size)
            sha256 = hashlib.sha256(data).hexdigest()
            yield (read := _hashed(read, sha256, began_s))
            yield _decoded(read, decoder.pixels(found, data, geometry, dated=dated), geometry, began_s)
        finally:
            decoder.give_room(found)


def _steps_alone(found: Found, geometry: Geometry, wall_s: float, guard: Guard, *, dated: bool) -> Iterator[Read]:
    with opened(found) as (descriptor, changed_s):
        yield (read := Read(wall_s - changed_s))
        began_s = time.perf_counter()
        sha256 = hash_whole(descriptor, found.identity.size, guard.check_stopped)
        yield (read := _hashed(read, sha256, began_s))
        try:
            decoded = guard.decode_isolated(found, descriptor, geometry, dated=dated)
        finally:
            check_unchanged(descriptor, found.identity)  # or other bytes were judged than were hashed
        yield _decoded(read, decoded, geometry, began_s)


def _hashed(read: Read, sha256: str, began_s: float) -> Read:
    return Read(read.unchanged_s, sha256, times_ms={"read": 1e3 * (time.perf_counter() - began_s)})


def _decoded(read: Read, decoded: tuple[Pixels, datetime | None], geometry: Geometry, began_s: float) -> Read:
    pixels, taken = decoded
    took_ms = 1e3 * (time.perf_counter() - began_s) - read.times_ms["read"]
    times_ms = {**read.times_ms, "decode": took_ms}
    return Read(read.unchanged_s, read.sha256, taken, pixels, geometry, times_ms=times_ms)
