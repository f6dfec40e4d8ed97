"""Decode so that no photo can take the daemon with it twice.

A photo that aborts, is killed with, or hangs the process was written down before (`daemon/decode/suspects.py`). The
next process tries each of those in a child process with limits (`daemon/decode/isolated.py`); what kills that too is
the photo's own fault. A photo that needs much memory goes there at once.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from contract.errors import PhotoError, Reason
from contract.geometry import Geometry, Pixels, to_input
from daemon.decode.budget import Budget
from daemon.decode.exif_date import taken_in
from daemon.decode.isolated import LEAST_MEMORY_BYTES, MEMORY_BYTES, DiedError, ForAloneError, IsolatedDecoder
from daemon.decode.suspects import CrashJournal
from daemon.decode.webp import webp_size
from daemon.files.identity import Identity
from daemon.photo import Photo

HERE_PIXELS = 24_000_000
"""Larger pictures are decoded alone: each takes 4 to 20 bytes a pixel, and here there is one for each core."""
HANG_S = 120.0
"""A decoder that takes longer hangs. The slowest format, JPEG 2000, takes seconds for `HERE_PIXELS`."""
MAX_VERDICTS = 1024


def pixels_here(photo: Photo, data: bytes, geometry: Geometry) -> Pixels:
    """Return the network's input, uint8 [size_px, size_px, 3], of a picture that is not large.

    Args:
        photo: its `taken` is filled in if that is wanted.
        data: its bytes.
        geometry: the model's.

    Raises:
        PhotoError: it cannot be read; ForAloneError where it may be alone.
    """
    width, height = webp_size(data) or (0, 0)
    if width * height > HERE_PIXELS:
        raise ForAloneError(f"{width} x {height} is more than is decoded beside others")
    try:
        pixels = to_input(data, geometry, HERE_PIXELS)
    except PhotoError as fault:
        raise (ForAloneError(fault.detail) if fault.reason is Reason.TOO_LARGE else fault) from fault
    if photo.dated:
        photo.taken = taken_in(data)
    return pixels


class Guard:
    """Decodes photos for several threads.

    Attributes:
        notes: what is in the decoder.
        budget: of memory for the bytes that are read.
        decoded: whether any photo has left it.

    Args:
        notes: what is in the decoder.
    """

    def __init__(self, notes: CrashJournal) -> None:
        self.notes = notes
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
            ForAloneError: it is a suspect, or there is no room for so large a file.
            StoppedError: the daemon ends.
        """
        if self.notes.deaths(photo.path):
            raise ForAloneError("a process has ended while it was decoded")
        self.budget.take(photo.identity.size)

    def give_room(self, photo: Photo) -> None:
        """Give the room back."""
        self.budget.give(photo.identity.size)

    def pixels(self, photo: Photo, data: bytes, geometry: Geometry) -> Pixels:
        """Return the network's input, uint8 [size_px, size_px, 3], of a photo's bytes.

        Raises:
            PhotoError: it cannot be read; ForAloneError where it may be alone.
        """
        self.notes.begin(photo.path, here=True)
        try:
            pixels = pixels_here(photo, data, geometry)
            self.decoded = True
            return pixels
        finally:
            self.notes.end(photo.path, cleared=True)

    def pixels_alone(self, photo: Photo, descriptor: int, geometry: Geometry) -> Pixels:
        """Return the same of an open file, by way of a process with limits.

        Raises:
            PhotoError: it cannot be read. What was found out is not found out anew while the file is the same.
            StoppedError: the daemon ends.
        """
        told = self._verdicts.get(photo.path)
        if told is not None and told[0] == photo.identity:
            raise told[1]
        try:
            return self._pixels_alone(photo, descriptor, geometry)
        except OSError as error:
            raise PhotoError(Reason.UNREADABLE, f"it must be decoded alone, and cannot be now ({error})") from error
        except PhotoError as fault:
            self._verdicts[photo.path] = (photo.identity, fault)
            if len(self._verdicts) > MAX_VERDICTS:
                self._verdicts.popitem(last=False)
            raise

    def check_stopped(self) -> None:
        """Raise StoppedError if the daemon ends."""
        self._alone.check_stopped()

    def watch(self, hung: Callable[[Path], None]) -> None:
        """Call `hung`, from a thread of its own, when a photo has been in the decoder for `HANG_S`."""
        self._watch = threading.Thread(target=self._look, args=(hung,), name="guard", daemon=True)
        self._watch.start()

    def stop(self) -> None:
        """End the decoding in child processes, and what waits for room: the photos stay in the inbox."""
        self._alone.stop()
        self.budget.stop()

    def close(self) -> None:
        """Stop watching."""
        self._done.set()
        if self._watch is not None:
            self._watch.join()

    def _pixels_alone(self, photo: Photo, descriptor: int, geometry: Geometry) -> Pixels:
        # If the process dies while its child decodes, as where one limit of memory holds for both, the next child gets
        # half. A photo that was only near when somebody killed the process has enough with the least.
        halved = max(0, self.notes.deaths(photo.path) - 1)
        with self._turn:
            self.notes.begin(photo.path, here=False)
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
                self.notes.end(photo.path, cleared=cleared)

    def _look(self, hung: Callable[[Path], None]) -> None:
        while not self._done.wait(HANG_S / 16):
            longest = self.notes.longest()
            if longest is not None and longest[1] > HANG_S:
                hung(longest[0])
                return
