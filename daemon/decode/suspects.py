"""What is being decoded right now, written down before it begins: the memory of a process that a photo may kill.

One record for each photo in a small file beside the ledger. A record is one `pwritev` into the page cache, about three
microseconds and no sync: it outlives the process, and a power cut is not what a photo causes. After a crash, the names
in it are suspects, and they stay written down until each has been tried (`daemon/decode/guard.py`).
"""

import os
import struct
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

JOURNAL = "decoding"
"""Name of the file, beside the ledger."""
_HEADER = struct.Struct("<IHH")  # length of the path, deaths, whether it is in the decoder now
_RECORD_BYTES = 8192  # more than the longest path
_MAX_DEATHS = (1 << 16) - 1


@dataclass(slots=True)
class _Suspect:
    slot: int
    deaths: int


class CrashJournal:
    """Opens the file of notes, made if need be; may be used by several threads.

    Args:
        path: of the file; only one process at a time may have it open.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._lock = threading.Lock()
        self._suspects = self._read()
        self._began_s: dict[Path, float] = {}

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def deaths(self, path: Path) -> int:
        """How many processes have ended while they decoded the photo of that path; 0 if it is no suspect."""
        suspect = self._suspects.get(path)
        return suspect.deaths if suspect else 0

    def begin(self, path: Path, *, here: bool) -> None:
        """Note that a photo is in the decoder: of this process, or of a child that has limits of its own."""
        with self._lock:
            suspect = self._suspects.get(path) or _Suspect(self._free_slot(), 0)
            self._suspects[path] = suspect
            if here:
                self._began_s[path] = time.monotonic()
        self._write(suspect, path, now=True)

    def end(self, path: Path, *, cleared: bool, died: bool = False) -> None:
        """Note that it has left the decoder; unless it is cleared, it stays a suspect, of a death more if `died`."""
        suspect = self._suspects[path]
        suspect.deaths = min(suspect.deaths + died, _MAX_DEATHS)
        if cleared:
            self._erase(suspect.slot)  # before another thread may have its place
        else:
            self._write(suspect, path, now=False)
        with self._lock:
            self._began_s.pop(path, None)
            if cleared:
                del self._suspects[path]

    def longest(self) -> tuple[Path, float] | None:
        """Return the photo that is longest in this process's decoder, and for how many seconds; None if none is."""
        with self._lock:
            if not self._began_s:
                return None
            path, began_s = min(self._began_s.items(), key=lambda item: item[1])
        return path, time.monotonic() - began_s

    def _read(self) -> dict[Path, _Suspect]:
        """Read what the last process left: who was in the decoder has one more death; who is gone is dropped."""
        suspects = {}
        size = os.fstat(self._descriptor).st_size
        for slot in range(-(-size // _RECORD_BYTES)):
            record = os.pread(self._descriptor, _RECORD_BYTES, slot * _RECORD_BYTES).ljust(_HEADER.size, b"\0")
            length, deaths, now = _HEADER.unpack_from(record)
            path = Path(os.fsdecode(record[_HEADER.size : _HEADER.size + length]))
            if not length or not os.path.lexists(path) or path in suspects:
                self._erase(slot)
                continue
            suspects[path] = _Suspect(slot, min(deaths + now, _MAX_DEATHS))
            self._write(suspects[path], path, now=False)
        return suspects

    def _free_slot(self) -> int:
        used = {suspect.slot for suspect in self._suspects.values()}
        return next(slot for slot in range(len(used) + 1) if slot not in used)

    def _write(self, suspect: _Suspect, path: Path, *, now: bool) -> None:
        name = os.fsencode(path)
        with suppress(OSError):  # a full disk: the photo goes without its note, as every photo would
            os.pwritev(
                self._descriptor,
                [_HEADER.pack(len(name), suspect.deaths, now), name],
                suspect.slot * _RECORD_BYTES,
            )

    def _erase(self, slot: int) -> None:
        with suppress(OSError):
            os.pwritev(self._descriptor, [_HEADER.pack(0, 0, False)], slot * _RECORD_BYTES)
