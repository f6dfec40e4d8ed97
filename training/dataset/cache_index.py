"""The index of the pixel cache: the row of each content, and the content of each path.

It holds readable photos only. A photo that cannot be read is tried again by each run, because another codec, another
version of it or more memory may cure it.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock

from contract.geometry import Geometry
from training.dataset.groups.capture import Capture

_SCHEMA = """
CREATE TABLE IF NOT EXISTS content (
    digest BLOB PRIMARY KEY, row INTEGER NOT NULL, look INTEGER NOT NULL, crc INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS file (
    path BLOB PRIMARY KEY, size INTEGER, mtime_ns INTEGER, ctime_ns INTEGER, digest BLOB) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS capture (
    digest BLOB PRIMARY KEY, camera INTEGER NOT NULL, taken_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS decoders (words TEXT NOT NULL);
"""
_ENTRY = "SELECT digest, row, look, crc, camera, taken_ms FROM"
_BY_HASH = f"{_ENTRY} content LEFT JOIN capture USING (digest) WHERE digest = ?"
_BY_PATH = f"""
{_ENTRY} file JOIN content USING (digest) LEFT JOIN capture USING (digest)
WHERE path = ? AND size = ? AND mtime_ns = ? AND ctime_ns = ?
"""
VERSION = 2


@dataclass(frozen=True)
class IndexedPhoto:
    """One photo of the index.

    Attributes:
        digest: SHA-256 of the file.
        row: row in the pixel file; -1 for none.
        difference_hash: see contract.fingerprint.difference_hash.
        crc: CRC-32 of pixels, digest and difference hash.
        fault: why the photo is unreadable; empty if it is readable. It is not kept.
        capture: when and by which camera it was taken; None in an index of an earlier version, which did not ask.
        stamp: size, mtime and ctime of the file with that content; None if the index already knows the file.
    """

    digest: bytes
    row: int = -1
    difference_hash: int = 0
    crc: int = 0
    fault: str = ""
    capture: Capture | None = None
    stamp: tuple[int, int, int] | None = None

    def at(self, status: os.stat_result) -> "IndexedPhoto":
        """The same content in a file of that status."""
        return replace(self, stamp=_stamp(status))

    def stored(self, row: int, crc: int) -> "IndexedPhoto":
        """The same content in that row."""
        return replace(self, row=row, crc=crc)


class CacheIndex:
    """Index for several reading threads and one writing thread.

    Attributes:
        rows: number of rows.
        fresh: number of rows added by this process.
        notes: sentences about what had to be discarded.
    """

    def __init__(self, connection: sqlite3.Connection, pixels: Path, row_bytes: int, decoders: str) -> None:
        self._connection, self._lock = connection, Lock()
        self.fresh, self.notes = 0, list[str]()
        (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise sqlite3.DatabaseError(found)
        connection.executescript(_SCHEMA)
        self.rows = int(connection.execute("SELECT coalesce(max(row) + 1, 0) FROM content").fetchone()[0])
        self._decoded_by(decoders)
        self._agree_with(pixels, row_bytes)

    @classmethod
    @contextmanager
    def open(cls, folder: Path, geometry: Geometry, decoders: str) -> Iterator["CacheIndex"]:
        """Open the index of a cache folder. A damaged index is replaced by an empty one.

        Args:
            decoders: names and versions of what decodes photos here. Photos decoded by others are decoded again.
        """
        file, pixels = folder / f"index-{VERSION}.sqlite", folder / "pixels.u8"
        row_bytes = geometry.size_px**2 * 3
        _remove_older(folder)
        connection = _connect(file)
        try:
            index = cls(connection, pixels, row_bytes, decoders)
        except sqlite3.DatabaseError:
            connection.close()
            remove_index(folder)
            connection = _connect(file)
            index = cls(connection, pixels, row_bytes, decoders)
            index.notes.append("The index of the cache of decoded photos is damaged, so all photos are decoded again.")
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
        """Add one photo. One that could not be read is not added, so the next run tries it again."""
        if entry.stamp is None or entry.row < 0:
            return
        signed = (
            entry.difference_hash - 2**64 if entry.difference_hash >= 2**63 else entry.difference_hash
        )  # SQLite's integers are signed
        with self._lock:
            if entry.row == self.rows:
                self.rows += 1
                self.fresh += 1
            content = (entry.digest, entry.row, signed, entry.crc)
            self._connection.execute("INSERT OR IGNORE INTO content VALUES (?, ?, ?, ?)", content)
            if entry.capture is not None:
                capture = (entry.digest, *entry.capture)
                self._connection.execute("INSERT OR IGNORE INTO capture VALUES (?, ?, ?)", capture)
            file = (_key(path), *entry.stamp, entry.digest)
            self._connection.execute("INSERT OR REPLACE INTO file VALUES (?, ?, ?, ?, ?)", file)

    def forget(self, entry: IndexedPhoto) -> None:
        """Remove a content whose row is damaged; one that was stored meanwhile stays."""
        with self._lock:
            self._connection.execute("DELETE FROM content WHERE digest = ? AND row = ?", (entry.digest, entry.row))

    def commit(self) -> None:
        """Write the additions durably."""
        with self._lock:
            self._connection.commit()

    def _decoded_by(self, decoders: str) -> None:
        """Clear the index if its photos were decoded by other decoders than these."""
        found = self._connection.execute("SELECT words FROM decoders").fetchall()
        if found == [(decoders,)]:
            return
        if self.rows:
            then = ", ".join(words for (words,) in found) or "unknown ones"
            self.notes.append(
                f"The cache of decoded photos was made by other decoders ({then}), so all photos are decoded again."
            )
        self._clear()
        self._connection.execute("DELETE FROM decoders")
        self._connection.execute("INSERT INTO decoders VALUES (?)", (decoders,))
        self._connection.commit()

    def _agree_with(self, pixels: Path, row_bytes: int) -> None:
        """Truncate rows without an index entry (after a kill), and clear the index if rows are missing."""
        pixels.touch()
        if pixels.stat().st_size < self.rows * row_bytes:
            self.notes.append("The cache of decoded photos has lost rows, so all photos are decoded again.")
            self._clear()
        if not self.rows:  # a new file: truncating the old one would kill a training that has it mapped (SIGBUS)
            pixels.unlink()
            pixels.touch()
        os.truncate(pixels, self.rows * row_bytes)

    def _clear(self) -> None:
        self._connection.executescript("DELETE FROM content; DELETE FROM capture; DELETE FROM file;")
        self.rows = 0


def remove_index(folder: Path) -> None:
    """Remove the index of a cache folder, so that the next run begins with an empty one."""
    for name in (f"index-{VERSION}.sqlite", f"index-{VERSION}.sqlite-journal"):
        (folder / name).unlink(missing_ok=True)


def _remove_older(folder: Path) -> None:
    """Remove the indexes of earlier versions. Their pixels go too, because a new index starts a new pixel file."""
    for file in folder.glob("index-*.sqlite*"):
        if not file.name.startswith(f"index-{VERSION}."):
            file.unlink(missing_ok=True)


def _entry(
    digest: bytes, row: int, difference_hash: int, crc: int, camera: int | None, taken_ms: int | None
) -> IndexedPhoto:
    capture = None if camera is None or taken_ms is None else Capture(camera, taken_ms)
    numbers = (row, difference_hash, crc, *(capture or ()))
    if not all(type(number) is int for number in numbers):  # a flipped bit can make text of a number
        raise sqlite3.DatabaseError("a number is none")
    return IndexedPhoto(digest, row, difference_hash & (2**64 - 1), crc, capture=capture)


def _connect(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(file, timeout=60, check_same_thread=False)


def _key(path: Path) -> bytes:
    return os.fsencode(path.absolute())


def _stamp(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns
