"""The index of the pixel cache: which content stands in which row, and which path holds which content."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock

from contract.geometry import Geometry

_SCHEMA = """
CREATE TABLE IF NOT EXISTS content (
    digest BLOB PRIMARY KEY, row INTEGER NOT NULL, look INTEGER NOT NULL, fault TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS file (
    path BLOB PRIMARY KEY, size INTEGER, mtime_ns INTEGER, ctime_ns INTEGER, digest BLOB) WITHOUT ROWID;
"""
_BY_HASH = "SELECT digest, row, look, fault FROM content WHERE digest = ?"
_BY_PATH = """
SELECT digest, row, look, fault FROM file JOIN content USING (digest)
WHERE path = ? AND size = ? AND mtime_ns = ? AND ctime_ns = ?
"""
VERSION = 1


@dataclass(frozen=True)
class Entry:
    """One photo of the index: its SHA-256, its row (-1: none), its difference hash, why it is unreadable.

    stamp: size, mtime and ctime under which the file holds that content; None for what the index knows already.
    """

    digest: bytes
    row: int = -1
    look: int = 0
    fault: str = ""
    stamp: tuple[int, int, int] | None = None

    def at(self, status: os.stat_result) -> "Entry":
        """The same content, found in a file of that status."""
        return replace(self, stamp=_stamp(status))

    def stored(self, row: int) -> "Entry":
        """The same content, now in that row."""
        return replace(self, row=row)


class Index:
    """Answers from several threads, changes from one. `rows` is the number of rows, `fresh` of those new."""

    def __init__(self, connection: sqlite3.Connection, pixels: Path, row_bytes: int) -> None:
        self._connection, self._lock = connection, Lock()
        connection.executescript(_SCHEMA)
        self.rows = int(connection.execute("SELECT coalesce(max(row) + 1, 0) FROM content").fetchone()[0])
        self.fresh = 0
        self._agree_with(pixels, row_bytes)

    @classmethod
    @contextmanager
    def open(cls, folder: Path, geometry: Geometry) -> Iterator["Index"]:
        """Open the index of a cache folder; one that is damaged or of another version is begun anew."""
        file, pixels = folder / f"index-{VERSION}.sqlite", folder / "pixels.u8"
        row_bytes = geometry.size_px**2 * 3
        try:
            connection = _connect(file)
            index = cls(connection, pixels, row_bytes)
        except sqlite3.DatabaseError:
            file.unlink(missing_ok=True)
            connection = _connect(file)
            index = cls(connection, pixels, row_bytes)
        os.utime(file)  # the time of the last use, for `phototriage cache`
        with closing(connection):
            yield index

    def by_path(self, path: Path, status: os.stat_result) -> Entry | None:
        """What the file holds, if it has not changed since it was read."""
        with self._lock:
            found = self._connection.execute(_BY_PATH, (_key(path), *_stamp(status))).fetchone()
        return _entry(*found) if found else None

    def by_hash(self, digest: bytes) -> Entry | None:
        """What is known of that content."""
        with self._lock:
            found = self._connection.execute(_BY_HASH, (digest,)).fetchone()
        return _entry(*found) if found else None

    def remember(self, path: Path, entry: Entry) -> None:
        """Note one photo, unless it is known; what could not even be opened is looked at again next time."""
        if entry.stamp is None:
            return
        signed = entry.look - 2**64 if entry.look >= 2**63 else entry.look  # SQLite's integers are signed
        with self._lock:
            if entry.row == self.rows:
                self.rows += 1
                self.fresh += 1
            content = (entry.digest, entry.row, signed, entry.fault)
            self._connection.execute("INSERT OR IGNORE INTO content VALUES (?, ?, ?, ?)", content)
            file = (_key(path), *entry.stamp, entry.digest)
            self._connection.execute("INSERT OR REPLACE INTO file VALUES (?, ?, ?, ?, ?)", file)

    def commit(self) -> None:
        """Make what was remembered durable."""
        with self._lock:
            self._connection.commit()

    def _agree_with(self, pixels: Path, row_bytes: int) -> None:
        """Cut rows that no index entry knows (a kill between the two), forget everything if rows are missing."""
        pixels.touch()
        if pixels.stat().st_size < self.rows * row_bytes:
            self._connection.executescript("DELETE FROM content; DELETE FROM file;")
            self.rows = 0
        if not self.rows:  # another file, not the same one cut: a training may have it mapped, and would die of SIGBUS
            pixels.unlink()
            pixels.touch()
        os.truncate(pixels, self.rows * row_bytes)


def _entry(digest: bytes, row: int, look: int, fault: str) -> Entry:
    return Entry(digest, row, look & (2**64 - 1), fault)


def _connect(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(file, timeout=60, check_same_thread=False)


def _key(path: Path) -> bytes:
    return os.fsencode(path.absolute())


def _stamp(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns
