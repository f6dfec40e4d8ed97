"""Cache of decoded photos: each photo is decoded once, stored as network input, and memory-mapped by later runs.

One folder per geometry holds `pixels.u8` (fixed-size rows of uint8 [S, S, 3]) and an index in SQLite. The index maps
each content (SHA-256) to its row and its capture (when, by which camera), and each path to its content while size and
times stay the same. So a second run over the same folders reads no photo, a copied dataset is not decoded again, and
the pixels need not fit into memory.

Photos are decoded again when a decoder has another version, and when the checksum of their row does not hold.
"""

import errno
import fcntl
import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from common.errors import PhotoError
from contract.fingerprint import difference_hash
from contract.geometry import Geometry
from training.dataset.cache_index import CacheIndex, IndexedPhoto, remove_index
from training.dataset.decode_result import DecodeResult, DecodeRows
from training.dataset.decoders import decoders
from training.dataset.decoding import decode, turn_of
from training.dataset.groups.capture import capture_of
from training.dataset.pixel_file import PixelFile, checksum
from training.dataset.regular_file import regular_file_status
from training.errors import TrainingError

CHUNK = 512  # photos per commit: a kill costs at most these
SLICE = 8  # photos per task of a thread, because starting a task takes longer than looking up a known photo


def cache_root() -> Path:
    """The cache folder: `$XDG_CACHE_HOME/phototriage`, by default under `~/.cache`."""
    home = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(home) if Path(home).is_absolute() else Path.home() / ".cache") / "phototriage"


def cache_folder(geometry: Geometry) -> Path:
    """The cache of one geometry."""
    return cache_root() / "pixels" / f"{geometry.id}-{geometry.size_px}"


def decode_all(
    paths: Iterable[Path],
    geometry: Geometry,
    tick: Callable[[int], None] = lambda done: None,
    workers: int | None = None,
) -> DecodeResult:
    """Decode photos that are not yet in the cache, in a pool of threads (Pillow releases the GIL).

    Args:
        paths: the photos.
        tick: called with the number of photos done since the last call.
        workers: threads; by default one per core that this process may use.

    Raises:
        TrainingError: the cache cannot be written, because space or rights are missing, or its index is damaged.
            Unreadable photos are not errors.
    """
    folder = cache_folder(geometry)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _exclusive(folder), CacheIndex.open(folder, geometry, decoders()) as index:
            with PixelFile(folder / "pixels.u8", index, geometry.size_px) as pixels:
                found = _fill(paths, geometry, pixels, tick, workers or len(os.sched_getaffinity(0)))
            return _result(found, pixels, geometry.size_px)
    except OSError as error:
        raise TrainingError(_unwritable(folder, error)) from error
    except sqlite3.Error as error:
        raise TrainingError(_unindexed(folder, error)) from error


def _fill(
    paths: Iterable[Path], geometry: Geometry, pixels: PixelFile, tick: Callable[[int], None], workers: int
) -> DecodeRows:
    found, index = DecodeRows(), pixels.index
    with ThreadPoolExecutor(workers, "decode") as pool:
        for chunk in _chunks(paths, CHUNK):
            known = index.rows
            work = pool.map(lambda part: [_read(path, geometry, pixels) for path in part], _chunks(chunk, SLICE))
            for path, (entry, photo) in zip(chunk, chain.from_iterable(work), strict=True):
                found.add(path, _store(path, entry, photo, pixels))
                tick(1)
            if index.rows > known:
                os.fsync(pixels.fileno())  # after a power cut the index must not point to rows that were lost
            index.commit()
    return found


def _read(path: Path, geometry: Geometry, pixels: PixelFile) -> tuple[IndexedPhoto, NDArray[np.uint8] | None]:
    """Look up one photo, or decode it. A failure is returned as an entry with its reason."""
    try:
        status = regular_file_status(path)
        known = pixels.intact(pixels.index.by_path(path, status))
        if known is not None and known.capture is None:  # of an earlier version of this program
            known = replace(known.at(status), capture=capture_of(path))
        if known is not None:
            return known, None
        with turn_of(status.st_size):
            return _decode(path.read_bytes(), status, geometry, pixels)
    except PhotoError as error:
        return IndexedPhoto(b"", fault=str(error)), None
    except OSError as error:
        return IndexedPhoto(b"", fault=f"it could not be opened ({error.strerror})"), None


def _decode(
    data: bytes, status: os.stat_result, geometry: Geometry, pixels: PixelFile
) -> tuple[IndexedPhoto, NDArray[np.uint8] | None]:
    digest = hashlib.sha256(data).digest()
    known = pixels.intact(pixels.index.by_hash(digest))
    if known is not None:
        return replace(known.at(status), capture=known.capture or capture_of(data)), None
    try:
        photo = decode(data, geometry)
    except PhotoError as error:
        return IndexedPhoto(digest, fault=str(error)).at(status), None
    entry = IndexedPhoto(digest, difference_hash=difference_hash(photo), capture=capture_of(data))
    return entry.at(status), photo


def _store(path: Path, entry: IndexedPhoto, photo: NDArray[np.uint8] | None, pixels: PixelFile) -> IndexedPhoto:
    """Give a newly decoded photo its row. A copy in the same chunk was decoded twice but is stored once."""
    index = pixels.index
    if photo is not None:
        copy = index.by_hash(entry.digest)
        entry = entry.stored(index.rows if copy is None else copy.row, checksum(photo.tobytes(), entry))
        if copy is None:
            pixels.append(photo)
    index.remember(path, entry)
    return entry


def _result(found: DecodeRows, pixels: PixelFile, size_px: int) -> DecodeResult:
    index = pixels.index
    shape = (index.rows, size_px, size_px, 3)
    return found.result(
        np.memmap(pixels.file, np.uint8, "r", shape=shape) if index.rows else np.zeros(shape, np.uint8),
        index.fresh,
        (*index.notes, *_damage_in_words(pixels.damaged)),
    )


def _damage_in_words(rows: int) -> Iterator[str]:
    if rows:
        yield f"Damaged in the cache of decoded photos, and decoded again: {rows:,}."


def _chunks(paths: Iterable[Path], size: int) -> Iterator[list[Path]]:
    rest = iter(paths)
    while chunk := list(islice(rest, size)):
        yield chunk


@contextmanager
def _exclusive(folder: Path) -> Iterator[None]:
    """Let one run at a time append. A second run waits, and then finds its photos in the cache."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _unwritable(folder: Path, error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"The disk is full under {folder}, the cache of decoded photos. Free space, or set XDG_CACHE_HOME."
    why = error.strerror or error
    return f"Decoded photos cannot be stored in {folder} ({why}). Set XDG_CACHE_HOME to a writable folder."


def _unindexed(folder: Path, error: sqlite3.Error) -> str:
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
        return _unwritable(folder, OSError(errno.ENOSPC, "the disk is full"))
    remove_index(folder)
    return (
        f"The index of the cache of decoded photos in {folder} cannot be used ({error}), and has been removed. Run the "
        "same command again: it decodes the photos again."
    )
