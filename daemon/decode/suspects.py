"""A journal of the photos in the decoder, so that a crash leaves behind which photo may have caused it.

The journal is a small file beside the ledger, with one record per photo. Writing a record is one `pwritev` into the
page cache, takes about three microseconds and needs no sync: the page cache outlives the process, and no photo causes a
power cut. After a crash, the photos in the journal are suspects. They stay in it until each was tried
(`daemon/decode/guard.py`).
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
_HEADER = struct.Struct("<IHH")  # length of the path, deaths, whether the photo is in the decoder now
_RECORD_BYTES = 8192  # more than the longest path
_MAX_DEATHS = (1 << 16) - 1


@dataclass(slots=True)
class _Suspect:
    slot: int
    deaths: int


class CrashJournal:
    """Opens or creates the journal; may be used by several threads.

    Args:
        path: of the journal; only one process at a time may have it open.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._lock = threading.Lock()
        self._suspects = self._read()
        self._began_s: dict[Path, float] = {}

    def close(self) -> None:
        """Close the file; a share whose server is away reports here what was not written."""
        with suppress(OSError):
            os.close(self._descriptor)

    def deaths(self, path: Path) -> int:
        """Return how many processes ended while they decoded this photo; 0 if it is no suspect."""
        suspect = self._suspects.get(path)
        return suspect.deaths if suspect else 0

    def suspects(self) -> list[Path]:
        """Return the photos that were in a decoder when a process ended, and those that are in one now."""
        return list(self._suspects)

    def begin(self, path: Path, *, here: bool) -> None:
        """Record that a photo is in the decoder of this process (`here`) or of a child process."""
        with self._lock:
            suspect = self._suspects.get(path) or _Suspect(self._free_slot(), 0)
            self._suspects[path] = suspect
            if here:
                self._began_s[path] = time.monotonic()
        self._write(suspect, path, now=True)

    def end(self, path: Path, *, cleared: bool, died: bool = False) -> None:
        """Record that a photo left the decoder. Unless cleared, it stays a suspect; `died` adds one death."""
        suspect = self._suspects[path]
        suspect.deaths = min(suspect.deaths + died, _MAX_DEATHS)
        if cleared:
            self._erase(suspect.slot)  # before another thread can take the slot
        else:
            self._write(suspect, path, now=False)
        with self._lock:
            self._began_s.pop(path, None)
            if cleared:
                del self._suspects[path]

    def longest(self) -> tuple[Path, float] | None:
        """Return the photo that has been in this process's decoder longest, and its seconds there; None without one."""
        with self._lock:
            if not self._began_s:
                return None
            path, began_s = min(self._began_s.items(), key=lambda item: item[1])
        return path, time.monotonic() - began_s

    def _read(self) -> dict[Path, _Suspect]:
        """Read the last process's journal: add a death to photos in the decoder, drop photos that are gone."""
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
        with suppress(
            OSError
        ):  # on a full disk the photo is decoded without a record, because waiting would stop every photo
            os.pwritev(
                self._descriptor,
                [_HEADER.pack(len(name), suspect.deaths, now), name],
                suspect.slot * _RECORD_BYTES,
            )

    def _erase(self, slot: int) -> None:
        with suppress(OSError):
            os.pwritev(self._descriptor, [_HEADER.pack(0, 0, False)], slot * _RECORD_BYTES)
