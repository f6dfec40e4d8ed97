"""Read the bytes of a photo: only of the file that settled, into one buffer, and never more than its settled size.

A user who may write to the inbox can make a file larger while it is read, and a sparse file needs no disk space.
"""

import errno
import hashlib
import io
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from common.errors import PhotoError, Reason
from contract.formats import SNIFF_BYTES, has_photo_name, sniff
from contract.geometry import MAX_FILE_BYTES
from daemon.files.confined import open_photo
from daemon.files.identity import Identity, close
from daemon.files.open_writers import HELD
from daemon.photo import Found

PART_BYTES = 1 << 24
"""Larger files are read in parts. On a slow share, one call for the whole file would look like a hang."""


@contextmanager
def opened(found: Found) -> Iterator[tuple[int, float]]:
    """Yield a descriptor of the file that was found, never of a link's target or another file of that name.

    The time of its last change comes with it, in seconds since 1970.

    Raises:
        PhotoError: the file was replaced, is no photo, is too large, or cannot be read.
    """
    try:
        descriptor = open_photo(found.path, found.relpath)
    except OSError as error:
        raise unreadable(error) from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or Identity.of(status) != found.identity:
            raise PhotoError(Reason.CHANGED, "it changed while it waited to be read")
        _check(descriptor, found.path, status.st_size)
        yield descriptor, max(status.st_mtime, status.st_ctime)
    except OSError as error:
        raise unreadable(error) from error
    finally:
        close(descriptor)


def read_whole(descriptor: int, size: int) -> bytes:
    """Read a file from its beginning into one buffer.

    Raises:
        PhotoError: the file has more or fewer than `size` bytes.
        OSError: it cannot be read.
    """
    if size < PART_BYTES:
        data = os.read(descriptor, size + 1)  # the usual case takes one call
        if len(data) == size:
            return data
    buffer = io.BytesIO()
    buffer.seek(size)
    buffer.write(b"\0")  # one byte more than expected, to detect a file that grew
    with buffer.getbuffer() as room:
        count = _fill(descriptor, room)
    if count != size:
        raise _changed()
    buffer.truncate(size)
    return buffer.getvalue()  # the buffer itself, not a copy


def hash_whole(descriptor: int, size: int, check_stopped: Callable[[], object]) -> str:
    """Return the SHA-256 of a file, hexadecimal, with at most one part of the file in memory.

    Args:
        descriptor: of the file; its offset stays at the beginning.
        size: the size that the file must have.
        check_stopped: called after each part; raises to end the reading.

    Raises:
        PhotoError: the file has more or fewer than `size` bytes.
        OSError: it cannot be read.
    """
    digest, count, part = hashlib.sha256(), 0, bytearray(PART_BYTES >> 4)
    while count <= size and (read := os.preadv(descriptor, [part], count)):
        check_stopped()
        digest.update(memoryview(part)[:read])
        count += read
    if count != size:
        raise _changed()
    return digest.hexdigest()


def check_unchanged(descriptor: int, identity: Identity) -> None:
    """Raise PhotoError if the open file has changed after it settled."""
    if Identity.of(os.fstat(descriptor)) != identity:
        raise _changed()


def _fill(descriptor: int, room: memoryview) -> int:
    count = 0
    while count < len(room) and (read := os.preadv(descriptor, [room[count : count + PART_BYTES]], count)):
        count += read
    return count


def _check(descriptor: int, path: Path, size: int) -> None:
    head = os.pread(descriptor, SNIFF_BYTES, 0)
    if not has_photo_name(path) and sniff(head) is None:
        raise PhotoError(Reason.FOREIGN, "neither its name nor its content is that of a photo")
    if size > MAX_FILE_BYTES:
        limit = f"{size >> 20} MiB is more than {MAX_FILE_BYTES >> 20} MiB, the limit"
        raise PhotoError(Reason.FILE_TOO_LARGE, f"{limit}; make it smaller, or file it by hand")


def _changed() -> PhotoError:
    return PhotoError(Reason.CHANGED, "it changed while it was read")


def unreadable(error: OSError) -> PhotoError:
    """Return why a file could not be opened or read: it is gone, or may be readable later."""
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ESTALE):
        return PhotoError(Reason.CHANGED, "it was taken away before it was read")
    if error.errno == errno.EAGAIN:  # another program has a lease, as Samba has for files that its clients hold open
        return PhotoError(Reason.UNREADABLE, HELD)
    return PhotoError(Reason.UNREADABLE, f"it cannot be read ({error.strerror})")
