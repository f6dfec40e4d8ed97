"""Decode photos so that no photo can crash the daemon twice.

Before a photo is decoded, its path is written to a journal (`daemon/decode/suspects.py`). If the photo crashes or hangs
the process, the next process finds it there and decodes it in a child process with limits
(`daemon/decode/isolated.py`). If the child dies too, the photo is at fault. A photo that needs much memory is decoded
in a child at once.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from common.errors import PhotoError, Reason
from contract.geometry import Geometry, Pixels, to_input
from daemon.decode.budget import Budget
from daemon.decode.exif_date import taken_in
from daemon.decode.isolated import LEAST_MEMORY_BYTES, MEMORY_BYTES, DiedError, IsolatedDecoder, NeedsIsolationError
from daemon.decode.suspects import CrashJournal
from daemon.decode.webp import webp_size
from daemon.files.identity import Identity
from daemon.photo import Found

HERE_PIXELS = 24_000_000
"""Larger pictures are decoded alone: each takes 4 to 20 bytes a pixel, and the daemon decodes one per core."""
HANG_S = 120.0
"""A decoder that takes longer hangs: even the slowest format, JPEG 2000, takes only seconds for `HERE_PIXELS`."""
MAX_VERDICTS = 1024


def decode_pixels(found: Found, data: bytes, geometry: Geometry, *, dated: bool) -> tuple[Pixels, datetime | None]:
    """Decode a picture of normal size.

    Args:
        found: tells when the file was changed last.
        data: its bytes.
        geometry: the model's.
        dated: whether to look when it was taken.

    Returns:
        The network's input, uint8 [size_px, size_px, 3], and when it was taken, if that is wanted and known.

    Raises:
        PhotoError: it cannot be read; NeedsIsolationError if a child process may be able to.
    """
    width, height = webp_size(data) or (0, 0)
    if width * height > HERE_PIXELS:
        raise NeedsIsolationError(f"{width} x {height} is too large to decode beside other photos")
    try:
        pixels = to_input(data, geometry, HERE_PIXELS)
    except PhotoError as fault:
        raise (NeedsIsolationError(fault.detail) if fault.reason is Reason.TOO_LARGE else fault) from fault
    return pixels, taken_in(data, found.identity.mtime_ns / 1e9, time.time()) if dated else None


class Guard:
    """Decodes photos; may be used by several threads.

    Attributes:
        journal: the photos that are in the decoder.
        budget: limit on the bytes that are held in memory.
        decoded: whether any photo was decoded in this process.

    Args:
        journal: the photos that are in the decoder.
    """

    def __init__(self, journal: CrashJournal) -> None:
        self.journal = journal
        self.budget = Budget()
        self._alone = IsolatedDecoder()
        self._turn = threading.Lock()  # one child at a time, so that their memory does not add up
        self._verdicts: OrderedDict[Path, tuple[Identity, PhotoError]] = OrderedDict()
        self._done = threading.Event()
        self._watch: threading.Thread | None = None
        self.decoded = False

    def take_room(self, found: Found) -> None:
        """Take room in memory for a photo's bytes.

        Raises:
            NeedsIsolationError: the photo is a suspect, or there is no room for such a large file.
            StoppedError: the daemon ends.
        """
        if self.journal.deaths(found.path):
            raise NeedsIsolationError("an earlier process ended while it decoded this photo")
        self.budget.take(found.identity.size)

    def give_room(self, found: Found) -> None:
        """Give the room back."""
        self.budget.give(found.identity.size)

    def pixels(self, found: Found, data: bytes, geometry: Geometry, *, dated: bool) -> tuple[Pixels, datetime | None]:
        """Return what `decode_pixels` does, with the photo in the journal.

        Raises:
            PhotoError: it cannot be read; NeedsIsolationError if a child process may be able to.
        """
        self.journal.begin(found.path, here=True)
        try:
            decoded = decode_pixels(found, data, geometry, dated=dated)
            self.decoded = True
            return decoded
        finally:
            self.journal.end(found.path, cleared=True)

    def decode_isolated(
        self, found: Found, descriptor: int, geometry: Geometry, *, dated: bool
    ) -> tuple[Pixels, datetime | None]:
        """Return the same for an open file, decoded in a child process with limits.

        Raises:
            PhotoError: it cannot be read. The error is remembered, and the same file is not decoded again.
            StoppedError: the daemon ends.
        """
        known = self._verdicts.get(found.path)
        if known is not None and known[0] == found.identity:
            raise known[1]
        try:
            return self._decode_isolated(found, descriptor, geometry, dated=dated)
        except OSError as error:
            raise PhotoError(
                Reason.UNREADABLE, f"it must be decoded in a child process, which failed ({error})"
            ) from error
        except PhotoError as fault:
            self._verdicts[found.path] = (found.identity, fault)
            if len(self._verdicts) > MAX_VERDICTS:
                self._verdicts.popitem(last=False)
            raise

    def check_stopped(self) -> None:
        """Raise StoppedError if the daemon ends."""
        self._alone.check_stopped()

    def watch(self, hung: Callable[[Path], None]) -> None:
        """Start a thread that calls `hung` when a photo has been in the decoder for `HANG_S`."""
        self._watch = threading.Thread(target=self._look, args=(hung,), name="guard", daemon=True)
        self._watch.start()

    def stop(self) -> None:
        """End child processes, and threads that wait for room. Their photos stay in the inbox."""
        self._alone.stop()
        self.budget.stop()

    def close(self) -> None:
        """Stop watching."""
        self._done.set()
        if self._watch is not None:
            self._watch.join()

    def _decode_isolated(
        self, found: Found, descriptor: int, geometry: Geometry, *, dated: bool
    ) -> tuple[Pixels, datetime | None]:
        # A memory limit may hold for this process and its child together. Then a large photo kills both at every start.
        # So after each such death the next child gets half the memory. The least is enough for an ordinary photo that
        # was in the decoder by chance when the process was killed.
        halved = max(0, self.journal.deaths(found.path) - 1)
        with self._turn:
            self.journal.begin(found.path, here=False)
            cleared = False
            try:
                memory_bytes = max(LEAST_MEMORY_BYTES, MEMORY_BYTES >> halved)
                decoded = self._alone.to_input(descriptor, found.identity.size, geometry, memory_bytes, dated=dated)
                cleared = True
                return decoded
            except PhotoError as fault:
                cleared = not isinstance(fault, DiedError)
                raise
            finally:
                self.journal.end(found.path, cleared=cleared)

    def _look(self, hung: Callable[[Path], None]) -> None:
        while not self._done.wait(HANG_S / 16):
            longest = self.journal.longest()
            if longest is not None and longest[1] > HANG_S:
                hung(longest[0])
                return
