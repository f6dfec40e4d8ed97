"""List the cache of decoded photos and features, and clean it without disturbing a running training.

Files are unlinked, never truncated, so a training keeps the files that it has mapped. A writer locks what it writes,
and locked files are skipped. Only files with names of the cache are removed; lock files stay.
"""

import fcntl
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from training.errors import TrainingError

PHOTOS, FEATURES, REST = "photos", "features", "half-written"
_FOLDER = re.compile(r".+-([1-9]\d*)")
_PIXELS = re.compile(r"pixels\.u8|index-\d+\.sqlite(-journal|-wal|-shm)?")
_FEATURES = re.compile(r"[0-9a-f]{64}\.(npy|trunk)")  # features of photos, and the network that gives them
_PART = re.compile(r"\.[0-9a-f]{64}\.npy\.\d+\.part")


@dataclass(frozen=True)
class CacheEntry:
    """One geometry's decoded photos, or the features of one set of photos.

    Attributes:
        files: files of the entry.
        photos: number of photos.
        used_s: time of the last use, in seconds since 1970.
        lock: lock file of the writer; None for a complete file.
    """

    kind: str
    name: str
    files: tuple[Path, ...]
    photos: int
    size_bytes: int
    used_s: float
    lock: Path | None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        used = datetime.fromtimestamp(self.used_s, UTC).isoformat(timespec="seconds")
        return {
            "kind": self.kind,
            "name": self.name,
            "photos": self.photos,
            "bytes": self.size_bytes,
            "last_used": used,
        }


@dataclass(frozen=True)
class CleanupResult:
    """Entries that were removed, and entries that were skipped because they are being written."""

    removed: tuple[CacheEntry, ...]
    busy: tuple[CacheEntry, ...]


def list_cache(root: Path) -> list[CacheEntry]:
    """List the entries of the cache under `root`, last used first.

    Raises:
        TrainingError: the cache cannot be read.
    """
    try:
        found = [*_pixels(root / "pixels"), *_features(root / "features")]
    except OSError as error:
        raise TrainingError(f"The cache {root} cannot be read ({error.strerror}). Check its permissions.") from error
    return sorted(found, key=lambda item: item.used_s, reverse=True)


def clean_cache(root: Path, unused_since_s: float) -> CleanupResult:
    """Remove entries that were last used before a time, given in seconds since 1970.

    Raises:
        TrainingError: the cache cannot be read, or a file cannot be removed.
    """
    removed, busy = [], []
    for item in list_cache(root):
        if item.used_s >= unused_since_s:
            continue
        try:
            with _writers_locked_out(item.lock):
                for file in item.files:
                    file.unlink(missing_ok=True)
        except BlockingIOError:
            busy.append(item)
            continue
        except OSError as error:
            raise TrainingError(
                f"{error.filename} cannot be removed ({error.strerror}). Check its owner and permissions."
            ) from error
        removed.append(item)
    return CleanupResult(tuple(removed), tuple(busy))


@contextmanager
def _writers_locked_out(lock: Path | None) -> Iterator[None]:
    """Lock out writers; raise BlockingIOError if one is active."""
    if lock is None:
        yield
        return
    with lock.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def _pixels(root: Path) -> Iterator[CacheEntry]:
    for folder in _entries(root):
        named = _FOLDER.fullmatch(folder.name)
        if named is None or folder.is_symlink() or not folder.is_dir():
            continue
        files = [file for file in _entries(folder) if _PIXELS.fullmatch(file.name)]
        if files:
            size = sum(file.lstat().st_size for file in files)
            photos = sum(file.lstat().st_size for file in files if file.name == "pixels.u8")
            # Each use updates the time of the index.
            used = max(file.lstat().st_mtime for file in _entries(folder))
            rows = photos // (3 * int(named[1]) ** 2)
            yield CacheEntry(PHOTOS, folder.name, tuple(files), rows, size, used, folder / "lock")


def _features(root: Path) -> Iterator[CacheEntry]:
    for file in _entries(root):
        whole = _FEATURES.fullmatch(file.name)
        if whole or _PART.fullmatch(file.name):
            status = file.lstat()
            kind, lock = (FEATURES, None) if whole else (REST, root / "lock")
            yield CacheEntry(kind, file.name, (file,), _rows(file), status.st_size, status.st_mtime, lock)


def _rows(file: Path) -> int:
    try:
        return int(np.load(file, mmap_mode="r", allow_pickle=False).shape[0])
    except (OSError, EOFError, ValueError, IndexError):
        return 0  # damaged, or removed meanwhile


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []
