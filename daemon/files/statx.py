"""statx(2), which the standard library lacks: the state on a share's server, and the birth time of a file."""

import ctypes
import os
import struct
from functools import cache
from pathlib import Path
from typing import NamedTuple

_AT_FDCWD = -100
_AT_SYMLINK_NOFOLLOW = 0x100
_AT_EMPTY_PATH = 0x1000
_AT_STATX_FORCE_SYNC = 0x2000
_BASIC_STATS = 0x7FF
_BIRTH = 0x800
_BYTES = 256
"""Size of the kernel's answer."""
_TIME = struct.Struct("qI")
_AT_MASK, _AT_BIRTH, _AT_CHANGE = 0x00, 0x50, 0x60
"""Offsets in the answer (statx(2))."""


class Times(NamedTuple):
    """Times that nobody can set: last inode change, and birth if the file system keeps it."""

    changed_ns: int
    born_ns: int | None


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def force_sync(descriptor: int) -> None:
    """Refresh the kernel's state of an open file from its server (statx(2)); does nothing if that is not possible."""
    statx = getattr(_libc(), "statx", None)
    if statx is not None:
        flags = _AT_EMPTY_PATH | _AT_STATX_FORCE_SYNC
        statx(descriptor, b"", flags, _BASIC_STATS, ctypes.create_string_buffer(_BYTES))


def times_of(path: Path) -> Times | None:
    """Return these times of a file; None if it cannot be read."""
    answer = ctypes.create_string_buffer(_BYTES)
    statx = getattr(_libc(), "statx", None)
    wanted = _BASIC_STATS | _BIRTH
    if statx is None or statx(_AT_FDCWD, os.fsencode(path), _AT_SYMLINK_NOFOLLOW, wanted, answer) != 0:
        try:
            return Times(path.lstat().st_ctime_ns, None)
        except OSError:
            return None
    (mask,) = struct.unpack_from("I", answer, _AT_MASK)
    return Times(_ns(answer, _AT_CHANGE), _ns(answer, _AT_BIRTH) if mask & _BIRTH else None)


def _ns(answer: ctypes.Array[ctypes.c_char], offset: int) -> int:
    seconds, nanoseconds = _TIME.unpack_from(answer, offset)
    return int(seconds * 10**9 + nanoseconds)
