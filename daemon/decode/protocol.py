"""What the daemon and a child that decodes for it say to each other: fixed records, and nothing that can be more.

An answer is as long as its question makes it, fault or not, so that each side needs one call to the kernel. The child
has had strangers' bytes in its decoders: what it says is taken for numbers, text and pixels, and never unpickled; it
carries the number of its question, so that one answer too many is not taken for the next photo's.
"""

import math
import os
import re
import socket
import struct
from pathlib import Path

import numpy as np

from common.errors import PhotoError, Reason
from contract.geometry import Geometry
from daemon.decode.exif_date import pack, unpack
from daemon.files.identity import Identity
from daemon.photo import Found, Read

READY = b"r"
"""What a child says first: it has imported what it needs."""
QUESTION = struct.Struct(
    "<Q??HHHQQQqd"
)  # number, dated, letterbox, side, length of the path, folders below the inbox, identity, wall time
_HEAD = struct.Struct("<Q64s32s1024s19sddd")  # number, hash, reason, detail, taken, unchanged_s, two times
_TIMES = ("read", "decode")
_HASH = re.compile(r"[0-9a-f]{64}")


def question(number: int, found: Found, geometry: Geometry, wall_s: float, *, dated: bool) -> bytes:
    """Pack what `daemon.decode.decode.decode_here` has to know."""
    path = os.fsencode(found.path)
    letterbox, folders = geometry.mode == "letterbox", len(found.relpath.parts)
    asked = (dated, letterbox, geometry.size_px, len(path), folders, *found.identity, wall_s)
    return QUESTION.pack(number, *asked) + path


def asked(head: bytes, rest: bytes) -> tuple[int, Found, Geometry, float, bool]:
    """Unpack a question; `rest` is the path."""
    number, dated, letterbox, side, _, folders, device, inode, size, mtime_ns, wall_s = QUESTION.unpack(head)
    path = Path(os.fsdecode(rest))
    relpath = Path(*path.parts[-1 - folders : -1])
    found = Found(path, Identity(device, inode, size, mtime_ns), relpath=relpath)
    return number, found, Geometry("letterbox" if letterbox else "stretch", side), wall_s, dated


def path_bytes(head: bytes) -> int:
    """Return how long the path is that follows the head of a question."""
    return int(QUESTION.unpack(head)[4])


def answer(number: int, read: Read, geometry: Geometry) -> bytes:
    """Pack what `daemon.decode.decode.decode_here` has found."""
    fault = read.fault
    reason, detail = (fault.reason, fault.detail) if fault else ("", "")
    times = [read.times_ms.get(name, 0.0) for name in _TIMES]
    said = detail.encode(errors="replace")[:1024]
    known = (read.sha256.encode(), reason.encode(), said, pack(read.taken), read.unchanged_s, *times)
    return _HEAD.pack(number, *known) + (
        bytes(_pixel_bytes(geometry)) if read.pixels is None else read.pixels.tobytes()
    )


def room(geometry: Geometry) -> bytearray:
    """Return that into which an answer fits exactly."""
    return bytearray(_HEAD.size + _pixel_bytes(geometry))


def understood(number: int, answered: bytearray, geometry: Geometry) -> Read:
    """Unpack an answer; the pixels stay where they were received.

    Raises:
        ValueError: no process of the daemon gives such an answer.
    """
    its, sha256, reason, detail, packed, *numbers = _HEAD.unpack_from(answered)
    sha256, reason = (text.rstrip(b"\0").decode("ascii") for text in (sha256, reason))
    known = Reason(reason) if reason else None
    taken = unpack(packed)
    if its != number or not all(map(math.isfinite, numbers)):
        raise ValueError("another answer")
    if not _HASH.fullmatch(sha256) and (sha256 or known is None):
        raise ValueError("no hash")
    unchanged_s, *times = numbers
    times_ms = {name: took for name, took in zip(_TIMES, times, strict=True) if took}
    if known is None:
        pixels = np.frombuffer(answered, np.uint8, offset=_HEAD.size)
        pixels = pixels.reshape(geometry.size_px, geometry.size_px, 3)
        return Read(unchanged_s, sha256, taken, pixels, geometry, times_ms=times_ms)
    fault, alone = PhotoError(known, detail.rstrip(b"\0").decode(errors="ignore")), known is Reason.TOO_LARGE
    return Read(unchanged_s, sha256, taken, fault=fault, must_be_isolated=alone, times_ms=times_ms)


def wait_at_most(connection: socket.socket, seconds: float) -> None:
    """Let `recv` give up with BlockingIOError after so long, 0 for never; unlike `settimeout`, at no call's cost."""
    whole = int(seconds)
    connection.setsockopt(
        socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", whole, int(1e6 * (seconds - whole)))
    )


def _pixel_bytes(geometry: Geometry) -> int:
    return geometry.size_px * geometry.size_px * 3
