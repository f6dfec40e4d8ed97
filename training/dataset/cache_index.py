"""The index of the pixel cache: the row of each content, and the content of each path."""

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
class IndexedPhoto:
    """One photo of the index.

    Attributes:
        digest: SHA-256 of the file.
        row: row in the pixel file; -1 for none.
        difference_hash: see training.dataset.cache.difference_hash.
        fault: why the photo is unreadable; empty if it is readable.
        stamp: size, mtime and ctime of the file with that content; None if the index already knows the file.
    """

    digest: bytes
    row: int = -1
    difference_hash: int = 0
    fault: str = ""
    stamp: tuple[int, int, int] | None = None

    def at(self, status: os.stat_result) -> "IndexedPhoto":
        """The same content in a file of that status."""
        return replace(self, stamp=_stamp(status))

    def stored(self, row: int) -> "IndexedPhoto":
        """The same content in that row."""
        return replace(self, row=row)


class CacheIndex:
    """Index for several reading threads and one writing thread.

    Attributes:
        rows: number of rows.
        fresh: number of rows added by this process.
    """

    def __init__(self, connection: sqlite3.Connection, pixels: Path, row_bytes: int) -> None:
        self._connection, self._lock = connection, Lock()
        connection.executescript(_SCHEMA)
        self.rows = int(connection.execute("SELECT coalesce(max(row) + 1, 0) FROM content").fetchone()[0])
        self.fresh = 0
        self._agree_with(pixels, row_bytes)

    @classmethod
    @contextmanager
    def open(cls, folder: Path, geometry: Geometry) -> Iterator["CacheIndex"]:
        """Open the index of a cache folder. A damaged index is replaced by an empty one."""
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

    def by_path(self, path: Path, status: os.stat_result) -> IndexedPhoto | None:
        """The entry of the file, if it has not changed since it was read."""
        with self._lock:
            found = self._connection.execute(_BY_PATH, (_key(path), *_stamp(status))).fetchone()
        return _entry(*found) if found else None

    def by_hash(self, digest: bytes) -> IndexedPhoto | None:
        """The entry of that content."""
        with self._lock:
            found = self._connection.execute(_BY_HASH, (digest,)).fetchone()
        return _entry(*found) if found else None

    def remember(self, path: Path, entry: IndexedPhoto) -> None:
        """Add one photo. A file that could not be opened is not added, so the next run tries it again."""
        if entry.stamp is None:
            return
        signed = (
            entry.difference_hash - 2**64 if entry.difference_hash >= 2**63 else entry.difference_hash
        )  # SQLite's integers are signed
        with self._lock:
            if entry.row == self.rows:
                self.rows += 1
                self.fresh += 1
            content = (entry.digest, entry.row, signed, entry.fault)
            self._connection.execute("INSERT OR IGNORE INTO content VALUES (?, ?, ?, ?)", content)
            file = (_key(path), *entry.stamp, entry.digest)
            self._connection.execute("INSERT OR REPLACE INTO file VALUES (?, ?, ?, ?, ?)", file)

    def commit(self) -> None:
        """Write the additions durably."""
        with self._lock:
            self._connection.commit()

    def _agree_with(self, pixels: Path, row_bytes: int) -> None:
        """Truncate rows without an index entry (after a kill), and clear the index if rows are missing."""
        pixels.touch()
        if pixels.stat().st_size < self.rows * row_bytes:
            self._connection.executescript("DELETE FROM content; DELETE FROM file;")
            self.rows = 0
        if not self.rows:  # a new file: truncating the old one would kill a training that has it mapped (SIGBUS)
            pixels.unlink()
            pixels.touch()
        os.truncate(pixels, self.rows * row_bytes)


def _entry(digest: bytes, row: int, difference_hash: int, fault: str) -> IndexedPhoto:
    return IndexedPhoto(digest, row, difference_hash & (2**64 - 1), fault)


def _connect(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(file, timeout=60, check_same_thread=False)


def _key(path: Path) -> bytes:
    return os.fsencode(path.absolute())


def _stamp(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns
