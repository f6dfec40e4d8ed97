"""When a file appears in one of some folders, by the kernel's own word."""

import ctypes
import os
import select
import struct
import time
from collections.abc import Sequence
from pathlib import Path

IN_MOVED_TO, IN_CREATE, IN_NONBLOCK = 0x80, 0x100, 0o4000
_HEAD = struct.Struct("iIII")
_LIBC = ctypes.CDLL(None, use_errno=True)


class Sight:
    """Watches folders; used by one thread.

    Args:
        folders: they must exist.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self._descriptor = _LIBC.inotify_init1(IN_NONBLOCK)
        self._poll = select.poll()
        self._poll.register(self._descriptor, select.POLLIN)
        for folder in folders:
            if _LIBC.inotify_add_watch(self._descriptor, os.fsencode(folder), IN_MOVED_TO | IN_CREATE) < 0:
                raise OSError(ctypes.get_errno(), f"{folder} cannot be watched")

    def close(self) -> None:
        """Stop watching."""
        os.close(self._descriptor)

    def seen(self, longest_s: float) -> tuple[float, list[str]]:
        """Wait for files: (monotonic seconds when they were seen, their names); none when none came."""
        if not self._poll.poll(1e3 * longest_s):
            return time.monotonic(), []
        now_s, data, names = time.monotonic(), os.read(self._descriptor, 1 << 18), []
        at = 0
        while at < len(data):
            *_, length = _HEAD.unpack_from(data, at)
            at += _HEAD.size + length
            names.append(os.fsdecode(data[at - length : at].rstrip(b"\0")))
        return now_s, names
