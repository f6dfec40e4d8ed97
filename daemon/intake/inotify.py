"""The kernel's file events, inotify(7): one instance, its watches, and its events.

Python has no inotify call of its own, so ctypes calls the three functions of libc. The instance and the eventfd that
wakes its reader are open files of this process, and a user gets few instances: `close` always releases both.
"""

import ctypes
import os
import select
import struct
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

IN_CLOSE_WRITE = 0x00000008
IN_MOVED_FROM = 0x00000040
IN_MOVED_TO = 0x00000080
IN_CREATE = 0x00000100
IN_DELETE_SELF = 0x00000400
IN_Q_OVERFLOW = 0x00004000
IN_IGNORED = 0x00008000
IN_ONLYDIR = 0x01000000
IN_DONT_FOLLOW = 0x02000000
IN_ISDIR = 0x40000000

_HEAD = struct.Struct("iIII")
_READ_BYTES = 1 << 16


class Event(NamedTuple):
    """One event.

    Attributes:
        watch: number of the watch; -1 for an overflow.
        mask: the kind of event.
        name: of the file in the watched folder; empty for an event of the folder itself.
        cookie: the same in both events of one rename.
    """

    watch: int
    mask: int
    name: bytes
    cookie: int = 0


class Inotify:
    """One instance. Only `wake` may be called by any thread, the rest by one at a time, and nothing after `close`.

    Raises:
        OSError: the limit of instances or of open files is reached.
    """

    def __init__(self) -> None:
        self._descriptor = _checked(_libc().inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK), "inotify")
        try:
            self._waker = os.eventfd(0)
        except OSError:
            os.close(self._descriptor)
            raise

    def add(self, folder: Path, mask: int) -> int:
        """Watch a folder. Returns the number of its watch; a folder that is already watched keeps its number."""
        return _checked(_libc().inotify_add_watch(self._descriptor, os.fsencode(folder), mask), str(folder))

    def remove(self, watch: int) -> None:
        """Remove a watch; IN_IGNORED is its last event. Does nothing if the kernel has removed the watch already."""
        _libc().inotify_rm_watch(self._descriptor, watch)

    def wait_for_event(self, seconds: float) -> bool:
        """Wait until there are events, and leave them for `events`. Returns whether there are any."""
        poller = select.poll()
        poller.register(self._descriptor, select.POLLIN)
        return bool(poller.poll(1e3 * seconds))

    def events(self) -> Iterator[Event]:
        """Yield events as they come, until woken."""
        poller = select.poll()
        for descriptor in (self._descriptor, self._waker):
            poller.register(descriptor, select.POLLIN)
        while self._waker not in (ready := dict(poller.poll())):
            if ready:
                yield from _parsed(os.read(self._descriptor, _READ_BYTES))

    def wake(self) -> None:
        """End `events`, also if it has not been called yet."""
        os.eventfd_write(self._waker, 1)

    def close(self) -> None:
        """Close the instance and the eventfd."""
        os.close(self._descriptor)
        os.close(self._waker)


def _parsed(data: bytes) -> Iterator[Event]:
    start = 0
    while start < len(data):
        watch, mask, cookie, length = _HEAD.unpack_from(data, start)
        start += _HEAD.size + length
        yield Event(watch, mask, data[start - length : start].rstrip(b"\0"), cookie)


def _checked(answer: int, about: str) -> int:
    if answer == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), about)
    return answer


@cache
def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.inotify_add_watch.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_uint32)
    return libc
