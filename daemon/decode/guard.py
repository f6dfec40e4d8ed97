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
from pathlib import Path

from common.errors import PhotoError, Reason
from contract.geometry import Geometry, Pixels, to_input
from daemon.decode.budget import Budget
from daemon.decode.exif_date import taken_in
from daemon.decode.isolated import LEAST_MEMORY_BYTES, MEMORY_BYTES, DiedError, ForAloneError, IsolatedDecoder
from daemon.decode.suspects import CrashJournal
from daemon.decode.webp import webp_size
from daemon.files.identity import Identity
from daemon.photo import Photo

HERE_PIXELS = 24_000_000
"""Larger pictures are decoded alone: each takes 4 to 20 bytes a pixel, and the daemon decodes one per core."""
HANG_S = 120.0
"""A decoder that takes longer hangs: even the slowest format, JPEG 2000, takes only seconds for `HERE_PIXELS`."""
MAX_VERDICTS = 1024


def decode_pixels(photo: Photo, data: bytes, geometry: Geometry) -> Pixels:
    """Decode a picture of normal size to the network's input, uint8 [size_px, size_px, 3].

    Args:
        photo: its `taken` is filled in if the layout needs the date.
        data: its bytes.
        geometry: the model's.

    Raises:
        PhotoError: it cannot be read; ForAloneError if a child process may be able to.
    """
    width, height = webp_size(data) or (0, 0)
    if width * height > HERE_PIXELS:
        raise ForAloneError(f"{width} x {height} is too large to decode beside other photos")
    try:
        pixels = to_input(data, geometry, HERE_PIXELS)
    except PhotoError as fault:
        raise (ForAloneError(fault.detail) if fault.reason is Reason.TOO_LARGE else fault) from fault
    if photo.dated:
        photo.taken = taken_in(data, photo.identity.mtime_ns / 1e9, time.time())
    return pixels


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

    def take_room(self, photo: Photo) -> None:
        """Take room in memory for a photo's bytes.

        Raises:
            ForAloneError: the photo is a suspect, or there is no room for such a large file.
            StoppedError: the daemon ends.
        """
        if self.journal.deaths(photo.path):
            raise ForAloneError("an earlier process ended while it decoded this photo")
        self.budget.take(photo.identity.size)

    def give_room(self, photo: Photo) -> None:
        """Give the room back."""
        self.budget.give(photo.identity.size)

    def pixels(self, photo: Photo, data: bytes, geometry: Geometry) -> Pixels:
        """Return the network's input, uint8 [size_px, size_px, 3], of a photo's bytes.

        Raises:
            PhotoError: it cannot be read; ForAloneError if a child process may be able to.
        """
        self.journal.begin(photo.path, here=True)
        try:
            pixels = decode_pixels(photo, data, geometry)
            self.decoded = True
            return pixels
        finally:
            self.journal.end(photo.path, cleared=True)

    def decode_isolated(self, photo: Photo, descriptor: int, geometry: Geometry) -> Pixels:
        """Return the network's input for an open file, decoded in a child process with limits.

        Raises:
            PhotoError: it cannot be read. The error is remembered, and the same file is not decoded again.
            StoppedError: the daemon ends.
        """
        known = self._verdicts.get(photo.path)
        if known is not None and known[0] == photo.identity:
            raise known[1]
        try:
            return self._decode_isolated(photo, descriptor, geometry)
        except OSError as error:
            raise PhotoError(
                Reason.UNREADABLE, f"it must be decoded in a child process, which failed ({error})"
            ) from error
        except PhotoError as fault:
            self._verdicts[photo.path] = (photo.identity, fault)
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

    def _decode_isolated(self, photo: Photo, descriptor: int, geometry: Geometry) -> Pixels:
        # A memory limit may hold for this process and its child together. Then a large photo kills both at every start.
        # So after each such death the next child gets half the memory. The least is enough for an ordinary photo that
        # was in the decoder by chance when the process was killed.
        halved = max(0, self.journal.deaths(photo.path) - 1)
        with self._turn:
            self.journal.begin(photo.path, here=False)
            cleared = False
            try:
                memory_bytes = max(LEAST_MEMORY_BYTES, MEMORY_BYTES >> halved)
                pixels, taken = self._alone.to_input(
                    descriptor, photo.identity.size, geometry, memory_bytes, dated=photo.dated
                )
                cleared, photo.taken = True, taken
                return pixels
            except PhotoError as fault:
                cleared = not isinstance(fault, DiedError)
                raise
            finally:
                self.journal.end(photo.path, cleared=cleared)

    def _look(self, hung: Callable[[Path], None]) -> None:
        while not self._done.wait(HANG_S / 16):
            longest = self.journal.longest()
            if longest is not None and longest[1] > HANG_S:
                hung(longest[0])
                return
