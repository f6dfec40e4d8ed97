"""One read of a photo's bytes: its hash and the network's input come from the same ones.

A photo that cannot be read is a result with a reason, in its place in the batch, and never an exception.
"""

import errno
import hashlib
import os
import stat
import time
from pathlib import Path
from typing import Protocol

from contract.errors import PhotoError, Reason
from contract.formats import SNIFF_BYTES, has_photo_name, sniff
from contract.geometry import Geometry, Pixels
from daemon.alone import StoppedError
from daemon.beneath import open_photo
from daemon.companions import WAITS, is_companion
from daemon.photo import Identity, Photo
from daemon.scan import close

MAX_FILE_BYTES = 1 << 29


class Decoder(Protocol):
    """What makes pixels of bytes, with more or less care."""

    def pixels(self, photo: Photo, data: bytes, geometry: Geometry) -> Pixels:
        """Return the network's input, or raise PhotoError or StoppedError."""


def decode(photo: Photo, geometry: Geometry, wall_s: float, guard: Decoder) -> None:
    """Fill in `pixels` and `sha256`, or `fault`; neither when the daemon ends first.

    Args:
        photo: its `path` is read.
        geometry: the model's.
        wall_s: the time now, to tell how long ago the file changed.
        guard: decodes.
    """
    started_s = time.perf_counter()
    try:
        data = _read(photo, wall_s)
        photo.sha256 = hashlib.sha256(data).hexdigest()
        read_s = time.perf_counter()
        photo.times_ms["read"] = 1e3 * (read_s - started_s)
        photo.pixels = guard.pixels(photo, data, geometry)
        photo.times_ms["decode"] = 1e3 * (time.perf_counter() - read_s)
    except PhotoError as fault:
        photo.fault = fault
    except StoppedError:
        return
    except MemoryError:
        photo.fault = PhotoError(Reason.UNREADABLE, "there was not enough memory to read it")


def _read(photo: Photo, wall_s: float) -> bytes:
    """Read the file that `identity` names: neither a link's target nor another file of that name."""
    try:
        descriptor = open_photo(photo.path, photo.relpath)
    except OSError as error:
        raise _unreadable(error) from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or Identity.of(status) != photo.identity:
            raise PhotoError(Reason.CHANGED, "it changed while it waited to be read")
        photo.unchanged_s = wall_s - max(status.st_mtime, status.st_ctime)
        return _contents(descriptor, photo.path, status.st_size)
    except OSError as error:
        raise _unreadable(error) from error
    finally:
        close(descriptor)


def _contents(descriptor: int, path: Path, size: int) -> bytes:
    head = os.pread(descriptor, SNIFF_BYTES, 0)
    if is_companion(path):  # raw data too, which is a TIFF by its first bytes
        raise PhotoError(Reason.FOREIGN, WAITS)
    if not has_photo_name(path) and sniff(head) is None:
        raise PhotoError(Reason.FOREIGN, "neither its name nor its content is that of a photo")
    if size > MAX_FILE_BYTES:
        limit = f"{size >> 20} MiB is more than {MAX_FILE_BYTES >> 20} MiB, the limit"
        raise PhotoError(Reason.FILE_TOO_LARGE, f"{limit}; make it smaller, or file it by hand")
    parts = []
    while part := os.read(descriptor, max(1, min(size + 1, 1 << 24))):
        parts.append(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _unreadable(error: OSError) -> PhotoError:
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ESTALE):
        return PhotoError(Reason.CHANGED, "it was taken away before it was read")
    return PhotoError(Reason.UNREADABLE, f"it cannot be read ({error.strerror})")
