"""What the daemon and a child that decodes for it say to each other: fixed records, and nothing that can be more.

An answer is as long as its question makes it, fault or not, so that each side needs one call to the kernel. The child
has had strangers' bytes in its decoders: what it says is taken for numbers, text and pixels, and never unpickled.
"""

import os
import socket
import struct
from pathlib import Path

import numpy as np

from contract.errors import PhotoError, Reason
from contract.geometry import Geometry
from daemon.photo import Identity, Photo

READY = b"r"
"""What a child says first: it has imported what it needs."""
QUESTION = struct.Struct(
    "<?HHHQQQqd"
)  # letterbox, side, length of the path, folders below the inbox, identity, wall time
_HEAD = struct.Struct("<64s32s1024sddd")  # hash, reason, detail, unchanged_s, times of reading and decoding
_TIMES = ("read", "decode")


def question(photo: Photo, geometry: Geometry, wall_s: float) -> bytes:
    """Pack what `daemon.decode.decode` has to know."""
    path = os.fsencode(photo.path)
    letterbox, folders = geometry.mode == "letterbox", len(photo.relpath.parts)
    return QUESTION.pack(letterbox, geometry.size_px, len(path), folders, *photo.identity, wall_s) + path


def asked(head: bytes, rest: bytes) -> tuple[Photo, Geometry, float]:
    """Unpack a question; `rest` is the path."""
    letterbox, side, _, folders, device, inode, size, mtime_ns, wall_s = QUESTION.unpack(head)
    path = Path(os.fsdecode(rest))
    relpath = Path(*path.parts[-1 - folders : -1])
    photo = Photo(path, Identity(device, inode, size, mtime_ns), 0.0, relpath=relpath)
    return photo, Geometry("letterbox" if letterbox else "stretch", side), wall_s


def path_bytes(head: bytes) -> int:
    """Return how long the path is that follows the head of a question."""
    return int(QUESTION.unpack(head)[2])


def answer(photo: Photo, geometry: Geometry) -> bytes:
    """Pack what `daemon.decode.decode` has found."""
    fault = photo.fault
    reason, detail = (fault.reason, fault.detail) if fault else ("", "")
    times = [photo.times_ms.get(name, 0.0) for name in _TIMES]
    said = detail.encode(errors="replace")[:1024]
    head = _HEAD.pack(photo.sha256.encode(), reason.encode(), said, photo.unchanged_s, *times)
    return head + (bytes(_pixel_bytes(geometry)) if photo.pixels is None else photo.pixels.tobytes())


def room(geometry: Geometry) -> bytearray:
    """Return that into which an answer fits exactly."""
    return bytearray(_HEAD.size + _pixel_bytes(geometry))


def fill(photo: Photo, answered: bytearray, geometry: Geometry) -> None:
    """Fill in what an answer says; the pixels stay where they were received.

    Raises:
        ValueError: nobody of ours says such a thing.
    """
    sha256, reason, detail, photo.unchanged_s, *times = _HEAD.unpack_from(answered)
    photo.sha256 = sha256.rstrip(b"\0").decode()
    photo.times_ms.update((name, took) for name, took in zip(_TIMES, times, strict=True) if took)
    if reason[0]:
        said = detail.rstrip(b"\0").decode(errors="ignore")
        photo.fault = PhotoError(Reason(reason.rstrip(b"\0").decode()), said)
    else:
        pixels = np.frombuffer(answered, np.uint8, offset=_HEAD.size)
        photo.pixels = pixels.reshape(geometry.size_px, geometry.size_px, 3)


def wait_at_most(connection: socket.socket, seconds: float) -> None:
    """Let `recv` give up with BlockingIOError after so long, 0 for never; unlike `settimeout`, at no call's cost."""
    whole = int(seconds)
    connection.setsockopt(
        socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", whole, int(1e6 * (seconds - whole)))
    )


def _pixel_bytes(geometry: Geometry) -> int:
    return geometry.size_px * geometry.size_px * 3
