"""One read of a photo's bytes: its hash and the network's input come from the same ones.

A photo that cannot be read is a result with a reason, in its place in the batch, and never an exception.
"""

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from common.errors import PhotoError, Reason
from contract.geometry import Geometry, Pixels
from daemon.decode.contents import check_unchanged, hash_whole, opened, read_whole
from daemon.decode.guard import Guard
from daemon.decode.isolated import ForAloneError, StoppedError
from daemon.photo import Photo


class Decoder(Protocol):
    """What makes pixels of bytes, with more or less care."""

    def take_room(self, photo: Photo) -> None:
        """Take room for a photo's bytes, or raise ForAloneError or StoppedError."""

    def give_room(self, photo: Photo) -> None:
        """Give it back."""

    def pixels(self, photo: Photo, data: bytes, geometry: Geometry) -> Pixels:
        """Return the network's input, or raise PhotoError: ForAloneError where it may be decoded alone."""


def decode(photo: Photo, geometry: Geometry, wall_s: float, guard: Guard) -> None:
    """Do what `decode_here` does, and where that is not enough `decode_alone`."""
    decode_here(photo, geometry, wall_s, guard)
    if is_for_alone(photo):
        decode_alone(photo, geometry, wall_s, guard)


def decode_here(photo: Photo, geometry: Geometry, wall_s: float, decoder: Decoder) -> None:
    """Fill in `pixels` and `sha256`, and `taken` if it is wanted, or `fault`; neither when the daemon ends first.

    Args:
        photo: its `path` is read.
        geometry: the model's.
        wall_s: the time now, to tell how long ago the file changed.
        decoder: decodes, in this process.
    """
    with _faults_of(photo), opened(photo, wall_s) as descriptor:
        decoder.take_room(photo)
        try:
            started_s = time.perf_counter()
            data = read_whole(descriptor, photo.identity.size)
            photo.sha256 = hashlib.sha256(data).hexdigest()
            read_s = time.perf_counter()
            photo.times_ms["read"] = 1e3 * (read_s - started_s)
            photo.pixels = decoder.pixels(photo, data, geometry)
            photo.times_ms["decode"] = 1e3 * (time.perf_counter() - read_s)
        finally:
            decoder.give_room(photo)


def decode_alone(photo: Photo, geometry: Geometry, wall_s: float, guard: Guard) -> None:
    """Do the same in a process with limits, which reads the file itself: its bytes are nowhere else in memory."""
    photo.fault = None
    with _faults_of(photo), opened(photo, wall_s) as descriptor:
        started_s = time.perf_counter()
        photo.sha256 = hash_whole(descriptor, photo.identity.size, guard.check_stopped)
        read_s = time.perf_counter()
        photo.times_ms["read"] = 1e3 * (read_s - started_s)
        try:
            photo.pixels = guard.decode_isolated(photo, descriptor, geometry)
        finally:
            check_unchanged(descriptor, photo)  # or other bytes were judged than were hashed
        photo.times_ms["decode"] = 1e3 * (time.perf_counter() - read_s)


def is_for_alone(photo: Photo) -> bool:
    """Tell whether a photo waits to be decoded alone."""
    return isinstance(photo.fault, ForAloneError)


@contextmanager
def _faults_of(photo: Photo) -> Iterator[None]:
    try:
        yield
    except PhotoError as fault:
        photo.pixels, photo.fault = None, fault
    except StoppedError:
        return
    except MemoryError:
        photo.fault = PhotoError(Reason.UNREADABLE, "there was not enough memory to read it")
