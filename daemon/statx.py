"""One call that the standard library of these Pythons lacks: ask a share's server what a file looks like now."""

import ctypes
from functools import cache

_AT_EMPTY_PATH = 0x1000
_AT_STATX_FORCE_SYNC = 0x2000
_BASIC_STATS = 0x7FF
_BYTES = 256
"""Size of the kernel's answer, which is left unread."""


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def force_sync(descriptor: int) -> None:
    """Make the kernel's knowledge of an open file as fresh as its server's (statx(2)); does nothing where it cannot."""
    statx = getattr(_libc(), "statx", None)
    if statx is not None:
        flags = _AT_EMPTY_PATH | _AT_STATX_FORCE_SYNC
        statx(descriptor, b"", flags, _BASIC_STATS, ctypes.create_string_buffer(_BYTES))
