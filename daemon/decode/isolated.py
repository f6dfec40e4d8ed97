"""Decode one photo in a process of its own, with limits: the daemon's end (the other: `isolated_child.py`).

For photos that may have killed a process, and for photos so large that their memory needs a limit.
The child gets the open file as its standard input, so only the child holds the bytes. It answers with the pixels, or
with the reason why there are none. Its decoders read strangers' bytes, so the daemon trusts no answer: it takes it as
pixels and text of a fixed length, or as no answer. If there is no answer, the way the child ended is the reason.
"""

import os
import selectors
import signal
import subprocess
import threading
import time
from datetime import datetime

import numpy as np

from common.child import signal_name
from common.errors import PhotoError, Reason
from contract.geometry import Geometry, Pixels
from daemon.decode.exif_date import PACKED_BYTES, unpack
from daemon.process.child import start_module

MEMORY_BYTES = 3 << 29
"""Memory for decoding, beyond the interpreter. 118 megapixels: 0.5 GB as PNG, 0.9 with transparency, 1.8 as WebP."""
LEAST_MEMORY_BYTES = 96 << 20
WALL_S = 180.0
READY, PIXELS, FAULT = b"R", b"P", b"F"
"""Parts of an answer: the child has read the bytes and begins to decode; then the pixels or the fault."""
MAX_FAULT_BYTES = 4096
MODULE = "daemon.decode.isolated_child"
_NO_ANSWER = "the child process that decoded it gave no answer"
_OF_BYTES = (
    *(Reason.EMPTY, Reason.NOT_A_PHOTO, Reason.TRUNCATED, Reason.CORRUPT, Reason.TOO_LARGE, Reason.UNSUPPORTED),
)
"""Reasons that lie in the bytes. The child may give no others."""


class StoppedError(Exception):
    """The daemon stops; nothing is known about the photo."""


class NeedsIsolationError(PhotoError):
    """The photo has to be decoded in a separate process."""

    def __init__(self, detail: str) -> None:
        super().__init__(Reason.TOO_LARGE, detail)


class DiedError(PhotoError):
    """The child died before it could say what is wrong, or did not end."""


class IsolatedDecoder:
    """Starts the child processes; one thread at a time may call `to_input`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._stopped = False

    def to_input(
        self, descriptor: int, size: int, geometry: Geometry, memory_bytes: int = MEMORY_BYTES, *, dated: bool = False
    ) -> tuple[Pixels, datetime | None]:
        """Do what `contract.geometry.to_input` does, in a process of its own.

        Args:
            descriptor: of the photo's file, at its beginning.
            size: of the file.
            geometry: the model's.
            memory_bytes: what decoding may take.
            dated: whether to look when it was taken.

        Returns:
            uint8 [size_px, size_px, 3], and when it was taken, if that is known.

        Raises:
            PhotoError: it cannot be read; DiedError if the child did not say why.
            StoppedError: `stop` was called.
            OSError: the process cannot be started now.
        """
        words = [geometry.mode, *map(str, (geometry.size_px, memory_bytes, size, int(dated)))]
        end_s = time.monotonic() + WALL_S
        with self._started(words, descriptor) as child:
            answer = _answer(child, _most_bytes(geometry), end_s)
        self.check_stopped()
        if answer is None:
            raise DiedError(Reason.CORRUPT, f"the child process that decoded it did not end within {WALL_S:.0f} s")
        return _understood(answer, child.returncode, geometry)

    def check_stopped(self) -> None:
        """Raise StoppedError once `stop` was called."""
        if self._stopped:
            raise StoppedError

    def stop(self) -> None:
        """Kill the process that runs now, if any, and start no other."""
        with self._lock:
            self._stopped = True
            if self._child is not None:
                self._child.kill()

    def _started(self, words: list[str], descriptor: int) -> "subprocess.Popen[bytes]":
        with self._lock:
            self.check_stopped()
            self._child = start_module(MODULE, *words, stdin=descriptor, stdout=subprocess.PIPE)
            return self._child


def _answer(child: "subprocess.Popen[bytes]", most: int, end_s: float) -> bytes | None:
    """Read a child's answer, at most little more than `most` bytes; None if it did not end in time. Kills it."""
    assert child.stdout is not None
    said = bytearray()
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(child.stdout, selectors.EVENT_READ)
            while len(said) <= most:
                if not selector.select(max(0.0, end_s - time.monotonic())):
                    return None
                part = os.read(child.stdout.fileno(), 1 << 16)
                if not part:
                    child.wait(max(0.0, end_s - time.monotonic()))
                    break
                said += part
        return bytes(said)
    except subprocess.TimeoutExpired:
        return None
    finally:
        child.kill()


def _understood(answer: bytes, code: int, geometry: Geometry) -> tuple[Pixels, datetime | None]:
    if len(answer) > _most_bytes(geometry):
        raise DiedError(Reason.CORRUPT, _NO_ANSWER)
    if -code in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        raise ChildProcessError("a signal from outside ended that process")
    if code < 0:
        raise DiedError(Reason.CORRUPT, f"the child process that decoded it died of {signal_name(-code)}")
    if answer[:1] != READY:
        raise ChildProcessError(f"that process ended with code {code}")
    kind, rest = answer[1:2], answer[2:]
    if kind == FAULT and code == 0:
        raise _fault(rest)
    if kind != PIXELS or len(rest) != _pixel_bytes(geometry) or code != 0:
        raise DiedError(Reason.CORRUPT, _NO_ANSWER)
    try:
        taken = unpack(rest[:PACKED_BYTES])
    except ValueError:
        raise DiedError(Reason.CORRUPT, _NO_ANSWER) from None
    pixels = np.frombuffer(rest, np.uint8, offset=PACKED_BYTES)
    return pixels.reshape(geometry.size_px, geometry.size_px, 3), taken


def _fault(said: bytes) -> PhotoError:
    reason, _, detail = said.partition(b"\n")
    for known in _OF_BYTES:
        if reason == known.encode():
            return PhotoError(known, detail.decode(errors="replace"))
    return DiedError(Reason.CORRUPT, _NO_ANSWER)


def _pixel_bytes(geometry: Geometry) -> int:
    return PACKED_BYTES + geometry.size_px * geometry.size_px * 3


def _most_bytes(geometry: Geometry) -> int:
    return 2 + max(_pixel_bytes(geometry), MAX_FAULT_BYTES)
