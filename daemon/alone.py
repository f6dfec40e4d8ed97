"""Decode one photo in a process of its own, with limits: both ends of the pipe.

For photos that are suspected of having killed a process, and for those so large that their memory has to be bounded.
The child gets the bytes on its standard input, so that it judges the ones that were hashed, and answers with the
pixels or with the reason why there are none. If it gives no answer, how it ended is the reason.
"""

import ctypes
import io
import json
import os
import resource
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image

from contract.errors import PhotoError, Reason
from contract.formats import readable_formats
from contract.geometry import Geometry, Pixels, to_input

MEMORY_BYTES = 3 << 29
"""What decoding may take beyond the interpreter. 118 megapixels: 0.5 GB as PNG, 0.9 with transparency, 1.8 as WebP."""
LEAST_MEMORY_BYTES = 96 << 20
MOST_BYTES_A_PIXEL = 20
"""What a decoder takes at most, as measured: 4 to 8 for most formats, 15 for WebP, 18 for JPEG 2000, 20 for floats."""
CPU_S = 120
WALL_S = 180.0
_PIXELS, _FAULT = b"P", b"F"
PR_SET_PDEATHSIG = 1


class StoppedError(Exception):
    """The daemon ends; nothing is known about the photo."""


class DiedError(PhotoError):
    """The child's decoder did not live to say what is wrong, or did not end."""


class Alone:
    """Starts the child processes; one thread at a time may call `to_input`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._stopped = False

    def to_input(self, data: bytes, geometry: Geometry, memory_bytes: int = MEMORY_BYTES) -> Pixels:
        """Do what `contract.geometry.to_input` does, in a process of its own.

        Args:
            data: the photo's bytes.
            geometry: the model's.
            memory_bytes: what decoding may take.

        Returns:
            uint8 [size_px, size_px, 3].

        Raises:
            PhotoError: it cannot be read; DiedError if that is all that is known.
            StoppedError: `stop` was called.
            OSError: there can be no such process now.
        """
        with self._started(geometry, memory_bytes) as child:
            try:
                answer = child.communicate(data, timeout=WALL_S)[0]
            except subprocess.TimeoutExpired:
                child.kill()
                answer = None
        if self._stopped:
            raise StoppedError
        if answer is None:
            raise DiedError(Reason.CORRUPT, f"its decoder, tried alone, did not end within {WALL_S:.0f} s")
        return _understood(answer, child.returncode, geometry)

    def stop(self) -> None:
        """End the process that runs now, if any, and let no other begin."""
        with self._lock:
            self._stopped = True
            if self._child is not None:
                self._child.kill()

    def _started(self, geometry: Geometry, memory_bytes: int) -> "subprocess.Popen[bytes]":
        words = ["daemon.alone", geometry.mode, str(geometry.size_px), str(memory_bytes)]
        with self._lock:
            if self._stopped:
                raise StoppedError
            self._child = started(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            return self._child


def started(words: list[str], *, stdin: int, stdout: int) -> "subprocess.Popen[bytes]":
    """Start a module of ours, the first of the words, as a child process that is given the others."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", *words],
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        process_group=0,  # a Ctrl-C is for the daemon, and not for the photo
    )


def _understood(answer: bytes, code: int, geometry: Geometry) -> Pixels:
    if -code in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        raise ChildProcessError("somebody ended the process for it")
    if code < 0:
        raise DiedError(Reason.CORRUPT, f"its decoder, tried alone, died of {signal.Signals(-code).name}")
    if answer[:1] == _FAULT:
        fault = json.loads(answer[1:])
        raise PhotoError(Reason(fault["reason"]), fault["detail"])
    side = geometry.size_px
    if answer[:1] != _PIXELS or len(answer) != 1 + side * side * 3:
        raise ChildProcessError(f"the process for it ended with {code}")
    return np.frombuffer(answer, np.uint8, offset=1).reshape(side, side, 3)


def _main() -> None:
    mode, size_px, memory_bytes = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # end with the daemon, however that ends
    geometry = Geometry("letterbox" if mode == "letterbox" else "stretch", size_px)
    data = sys.stdin.buffer.read()
    limit(memory_bytes, CPU_S)
    try:
        answer = _PIXELS + to_input(data, geometry).tobytes()
    except PhotoError as fault:
        fault = _for_lack_of_memory(fault, data, memory_bytes)
        answer = _FAULT + json.dumps({"reason": fault.reason, "detail": fault.detail}).encode()
    sys.stdout.buffer.write(answer)


def _for_lack_of_memory(fault: PhotoError, data: bytes, memory_bytes: int) -> PhotoError:
    """Call a picture too large whose decoder stopped with any words, where its size explains that."""
    if fault.reason is not Reason.CORRUPT:
        return fault
    try:
        width, height = webp_size(data) or _size(data)
    except (OSError, SyntaxError, ValueError):
        return fault
    if width * height * MOST_BYTES_A_PIXEL < memory_bytes:
        return fault
    return PhotoError(
        Reason.TOO_LARGE, f"{width} x {height} did not go into {memory_bytes >> 20} MiB of memory ({fault.detail})"
    )


def _size(data: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(data), formats=readable_formats()) as image:
        return image.size


def webp_size(data: bytes) -> tuple[int, int] | None:
    """Read width and height from a WebP's first 30 bytes (RFC 9649); None for anything else.

    Its decoder takes memory for the whole canvas, twice, before it tells the size.
    """
    if len(data) < 30 or data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        return None
    if data[12:16] == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if data[12:16] == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    return int.from_bytes(data[26:28], "little") & 0x3FFF, int.from_bytes(data[28:30], "little") & 0x3FFF


def limit(memory_bytes: int, cpu_s: int | None = None) -> None:
    """Bound what comes from here on: address space beyond today's, processor time if given, no core file."""
    with suppress(OSError):  # if memory runs out all the same, the kernel shall take this process and not the daemon
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    held_bytes = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    limits = {resource.RLIMIT_AS: held_bytes + memory_bytes, resource.RLIMIT_CORE: 0}
    if cpu_s is not None:
        limits[resource.RLIMIT_CPU] = cpu_s
    for what, limit in limits.items():
        with suppress(OSError, ValueError):  # a stricter limit is in force already
            resource.setrlimit(what, (limit, limit))


if __name__ == "__main__":
    _main()
