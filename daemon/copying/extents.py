"""Extents: where a file holds data. Between them are holes, which take no space and read as zeros (lseek(2))."""

import errno
import heapq
import os
from collections.abc import Iterator
from pathlib import Path

from daemon.files.confined import TO_READ

CHUNK_BYTES = 1 << 20


def extents(descriptor: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield start and end of each piece of data among the first `size` bytes of an open file, in order.

    On a file system without holes the whole file is one piece.
    """
    end = 0
    while end < size:
        try:
            start = os.lseek(descriptor, end, os.SEEK_DATA)
            after = os.lseek(descriptor, start, os.SEEK_HOLE)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole up to the end
                return
            if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS):
                raise
            start, after = end, size
        if start >= size:
            return
        end = min(size, after)
        yield start, end


def same_content(one: Path, other: Path) -> bool:
    """Tell whether two files hold the same bytes; parts that are holes in both are not read.

    Raises:
        OSError: one of them cannot be read.
    """
    first = os.open(one, TO_READ)
    try:
        second = os.open(other, TO_READ)
        try:
            size = os.fstat(first).st_size
            return size == os.fstat(second).st_size and _same_data(first, second, size)
        finally:
            os.close(second)
    finally:
        os.close(first)


def _same_data(first: int, second: int, size: int) -> bool:
    compared = 0
    for start, end in heapq.merge(extents(first, size), extents(second, size)):
        compared = max(compared, start)
        while compared < end:
            wanted = min(CHUNK_BYTES, end - compared)
            part = os.pread(first, wanted, compared)
            if not part or part != os.pread(second, len(part), compared):
                return False
            compared += len(part)
    return True
