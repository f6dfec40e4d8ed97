"""How many bytes of photos all readers together may hold in memory, however many there are.

Without it a few sparse files, which cost their owner no disk, take half a gigabyte for each reader.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from daemon.decode.contents import MAX_FILE_BYTES
from daemon.decode.isolated import ForAloneError, StoppedError

SMALL_BYTES = 1 << 25
"""Up to this size a file waits for room, which others give back within a moment; a larger one waits for nobody."""


class Budget:
    """Gives room to threads that read.

    Files of more than `SMALL_BYTES` share half of it, so that they never hold up the small ones.

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
        """Take room for a file's bytes; who has it waits for nobody else, so that it is given back.

        Raises:
            ForAloneError: there is none now for so large a file.
            StoppedError: `stop` was called.
        """
        with self._changed:
            if size > SMALL_BYTES and self._used + size > self._most // 2:
                raise ForAloneError(f"{size >> 20} MiB are more than is read beside others")
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
        """Let nobody wait any more; from any thread or a signal handler."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
