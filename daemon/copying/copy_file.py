"""One file's copy on another file system: as private as the original while it grows, whole, and with its holes.

What does not fit is not begun. Data is copied where data lies, so that a file of holes does not become real bytes.
"""

import errno
import os
from pathlib import Path

from daemon.copying.extents import CHUNK_BYTES, extents
from daemon.copying.losses import Loss
from daemon.copying.metadata import carry_over
from daemon.copying.space import free_bytes
from daemon.files.identity import Identity

MOST_SPARED_BYTES = 64 << 20
SMALL_BYTES = 32 << 20
"""Where less is free than this, photos in general find no room, and not only one that is large."""
_TO_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""O_NONBLOCK: a FIFO that took the photo's place must not be waited for."""
_TO_MAKE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class SourceChangedError(Exception):
    """The file is not the one that was classified; it is where it was, or back there."""


class NoRoomError(OSError):
    """One large file does not fit into what is free; smaller ones do."""

    def __init__(self, needed: int) -> None:
        super().__init__(errno.ENOSPC, f"its {max(1, needed >> 20)} MiB do not fit into what is free there")


def copy_file(source: Path, identity: Identity, temporary: Path) -> tuple[Loss, ...]:
    """Copy the very file that `identity` names to a name that is ours alone, durable but for that name.

    Only its owner, who is this process at first, can read the copy until it is complete.

    Returns:
        What of the file's owner, mode, attributes and times could not be kept.

    Raises:
        SourceChangedError: another file stands at `source`, or it changes.
        NoRoomError: it does not fit; nothing was written.
        OSError: it could not be copied. What is left at `temporary` is the caller's to remove.
    """
    reader = os.open(source, _TO_READ)
    try:
        was = os.fstat(reader)
        if Identity.of(was) != identity:
            raise SourceChangedError
        writer = _made(temporary)
        try:
            _check_room(reader, writer, was.st_size)
            _copy_data(reader, writer, was.st_size)
            if Identity.of(os.fstat(reader)) != identity:
                raise SourceChangedError
            losses = carry_over(reader, writer, was)
            os.fsync(writer)
        finally:
            os.close(writer)
    finally:
        os.close(reader)
    return losses


def _made(temporary: Path) -> int:
    try:
        return os.open(temporary, _TO_MAKE, 0o600)
    except FileExistsError:  # the rest of a copy that was interrupted
        temporary.unlink(missing_ok=True)
        return os.open(temporary, _TO_MAKE, 0o600)


def _check_room(reader: int, writer: int, size: int) -> None:
    """Raise ENOSPC unless an eighth more is free than a copy takes, or one cannot tell.

    Otherwise a file that does not fit would fill the disk at each try, and take the space from all who write there.
    """
    free = free_bytes(writer)
    if free is None:  # should the disk be full, the first write fails
        return
    needed = sum(end - start for start, end in extents(reader, size))
    if needed < size and not _keeps_holes(writer):
        needed = size
    if needed + min(needed // 8, MOST_SPARED_BYTES) <= free:
        return
    if free < SMALL_BYTES:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    raise NoRoomError(needed)


def _keeps_holes(writer: int) -> bool:
    """Try it on the empty copy: sticks and cards (FAT) write zeros."""
    os.ftruncate(writer, CHUNK_BYTES)
    kept = os.fstat(writer).st_blocks * 512 < CHUNK_BYTES
    os.ftruncate(writer, 0)
    return kept


def _copy_data(reader: int, writer: int, size: int) -> None:
    """Copy what lies in the first `size` bytes: a file that somebody goes on writing ends there."""
    done = 0
    for start, end in extents(reader, size):
        done = start
        while done < end:
            part = os.pread(reader, min(CHUNK_BYTES, end - done), done)
            if not part:
                raise SourceChangedError  # it was cut
            done += os.pwrite(writer, part, done)
    if done < size:
        os.ftruncate(writer, size)
