"""A limit on the bytes of photos that all readers together hold in memory.

Without the limit, a few sparse files, which need no disk space, would take half a gigabyte for each reader.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from contract.geometry import MAX_FILE_BYTES
from daemon.decode.isolated import NeedsIsolationError, StoppedError

SMALL_BYTES = 1 << 25
"""A file up to this size waits until others give room back, which is soon. A larger file never waits."""


class Budget:
    """Grants memory to threads that read photos.

    Files larger than `SMALL_BYTES` share half of the budget, so that they never delay small files.

    Args:
        most: bytes in all.
    """

    def __init__(self, most: int = MAX_FILE_BYTES) -> None:
        self._most = most
        self._used = 0
        self._waiting = 0
        self._stopped = False
        self._changed = threading.Condition()

    def take(self, size: int) -> None:
        """Take room for a file's bytes. A thread that holds room never waits for another, so no deadlock can occur.

        Raises:
            NeedsIsolationError: there is no room now for such a large file.
            StoppedError: `stop` was called.
        """
        with self._changed:
            if size > SMALL_BYTES and self._used + size > self._most // 2:
                raise NeedsIsolationError(f"{size >> 20} MiB are too much to read beside other photos")
            while self._used + size > self._most and not self._stopped:
                self._waiting += 1
                self._changed.wait()
                self._waiting -= 1
            if self._stopped:
                raise StoppedError
            self._used += size

    def give(self, size: int) -> None:
        """Give room back."""
        with self._changed:
            self._used -= size
            if self._waiting:
                self._changed.notify_all()

    @contextmanager
    def room(self, size: int) -> Iterator[None]:
        """Take room, and give it back at the end of the block."""
        self.take(size)
        try:
            yield
        finally:
            self.give(size)

    def stop(self) -> None:
        """End all waiting; may be called from any thread or a signal handler."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
