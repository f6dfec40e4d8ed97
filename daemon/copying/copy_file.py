"""Copy one file to another file system: complete, with its holes, and never more readable than the original.

A copy that does not fit is not begun. Only data is copied, so the holes of a sparse file take no space.
"""

import errno
import os
from pathlib import Path

from daemon.copying.extents import CHUNK_BYTES, extents
from daemon.copying.losses import Loss
from daemon.copying.metadata import carry_over
from daemon.copying.space import free_bytes
from daemon.files.confined import TO_READ
from daemon.files.identity import Identity

MOST_SPARED_BYTES = 64 << 20
SMALL_BYTES = 32 << 20
"""Below this much free space no photo fits, not only large ones."""
_TO_MAKE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class SourceChangedError(Exception):
    """The file is not the one that was classified; it is still in its place, or was put back."""


class NoRoomError(OSError):
    """One large file does not fit into the free space; smaller ones do."""

    def __init__(self, needed: int) -> None:
        super().__init__(errno.ENOSPC, f"its {max(1, needed >> 20)} MiB do not fit into the free space there")


def copy_file(source: Path, identity: Identity, temporary: Path) -> tuple[Loss, ...]:
    """Copy the file that `identity` names, and no other, to a temporary name; the data is durable, the name is not.

    Until the copy is complete, only its owner can read it: at first this process.

    Args:
        source: path of the file.
        identity: of the file.
        temporary: path of the copy, which no other program uses.

    Returns:
        Owner, mode, attributes or times that could not be kept.

    Raises:
        SourceChangedError: the file changes, or another file lies at `source`.
        NoRoomError: the file does not fit; nothing was written.
        OSError: copying failed. The caller removes the rest at `temporary`.
    """
    reader = os.open(source, TO_READ)
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
    except FileExistsError:  # the rest of an interrupted copy
        temporary.unlink(missing_ok=True)
        return os.open(temporary, _TO_MAKE, 0o600)


def _check_room(reader: int, writer: int, size: int) -> None:
    """Raise ENOSPC unless the free space is an eighth larger than the copy, or unknown.

    Otherwise each retry of a file that does not fit would fill the disk, and other programs could not write there.
    """
    free = free_bytes(writer)
    if free is None:  # if the disk is full, the first write fails
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
    """Tell whether the file system keeps holes, tried on the empty copy: FAT (sticks, cards) writes zeros."""
    os.ftruncate(writer, CHUNK_BYTES)
    kept = os.fstat(writer).st_blocks * 512 < CHUNK_BYTES
    os.ftruncate(writer, 0)
    return kept


def _copy_data(reader: int, writer: int, size: int) -> None:
    """Copy the data among the first `size` bytes, and no more if the file is still growing."""
    done = 0
    for start, end in extents(reader, size):
        done = start
        while done < end:
            part = os.pread(reader, min(CHUNK_BYTES, end - done), done)
            if not part:
                raise SourceChangedError  # it was truncated
            done += os.pwrite(writer, part, done)
    if done < size:
        os.ftruncate(writer, size)
