"""Each photo is decoded once: the network's input, on disk, memory-mapped, reused by the next run.

One folder per geometry holds `pixels.u8`, fixed-size rows of uint8 [S, S, 3], and an index in SQLite, which knows the
row of each content (SHA-256), and the content of each path as long as its size and times stay. So a second run over the
same folders reads no photo, a copied dataset costs no second decoding, and the pixels never have to fit into memory.
"""

import errno
import fcntl
import hashlib
import os
from array import array
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from contract.errors import PhotoError
from contract.geometry import Geometry, to_input
from training.dataset.cache_index import Entry, Index
from training.dataset.digests import SIZE, Digests
from training.dataset.regular_file import plain_status
from training.errors import TrainingError

CHUNK = 512  # photos per commit: what a kill costs at most
SLICE = 8  # photos handed to a thread at once: handing over takes longer than looking a known one up


@dataclass(frozen=True)
class Decoded:
    """What a dataset looks like in the cache, in the order of the paths asked for.

    rows: int64 [N], the row of each photo in `pixels`, -1 for an unreadable one.
    hashes: SHA-256 of each file, none for one that could not be opened.
    looks: uint64 [N], difference hash of each photo (`look`). failures: (path, reason) of the unreadable ones.
    pixels: uint8 [rows, S, S, 3], memory-mapped and read-only. fresh: how many had to be decoded now.
    """

    rows: NDArray[np.int64]
    hashes: Digests
    looks: NDArray[np.uint64]
    failures: tuple[tuple[Path, str], ...]
    pixels: NDArray[np.uint8]
    fresh: int


@dataclass
class _Found:
    """The same while it grows: a few dozen bytes a photo, because there may be a million."""

    rows: "array[int]" = field(default_factory=lambda: array("q"))
    hashes: bytearray = field(default_factory=bytearray)
    looks: "array[int]" = field(default_factory=lambda: array("Q"))
    failures: list[tuple[Path, str]] = field(default_factory=list)

    def add(self, path: Path, entry: Entry) -> None:
        """Append one photo."""
        self.rows.append(entry.row)
        self.hashes += entry.digest.ljust(SIZE, b"\0")
        self.looks.append(entry.look)
        if entry.fault:
            self.failures.append((path, entry.fault))


def cache_root() -> Path:
    """Where decoded photos are kept: `$XDG_CACHE_HOME/phototriage`, by default under `~/.cache`."""
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
) -> Decoded:
    """Bring every photo into the cache, decoding what is not there yet in a pool of threads (Pillow frees the GIL).

    Args:
        paths: the photos. tick: called with the number of photos done since the last call.
        workers: threads; by default one per core that this process may use.

    Raises:
        TrainingError: the cache cannot be written, for want of space or rights. Unreadable photos are no error.
    """
    folder = cache_folder(geometry)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder), Index.open(folder, geometry) as index:
            found = _fill(paths, geometry, index, folder / "pixels.u8", tick, workers or len(os.sched_getaffinity(0)))
            return _decoded(found, index, folder / "pixels.u8", geometry.size_px)
    except OSError as error:
        raise TrainingError(_unwritable(folder, error)) from error


def _fill(
    paths: Iterable[Path], geometry: Geometry, index: Index, file: Path, tick: Callable[[int], None], workers: int
) -> _Found:
    found = _Found()
    with ThreadPoolExecutor(workers, "decode") as pool, file.open("ab") as pixels:
        for chunk in _chunks(paths, CHUNK):
            known = index.rows
            work = pool.map(lambda part: [_read(path, geometry, index) for path in part], _chunks(chunk, SLICE))
            for path, (entry, photo) in zip(chunk, chain.from_iterable(work), strict=True):
                found.add(path, _store(path, entry, photo, index, pixels.write))
                tick(1)
            if index.rows > known:
                pixels.flush()
                os.fsync(pixels.fileno())  # an index that outlives a power cut must not point at rows that did not
            index.commit()
    return found


def _read(path: Path, geometry: Geometry, index: Index) -> tuple[Entry, NDArray[np.uint8] | None]:
    """Look one photo up, or decode it. Failures come back as an entry with a reason, in their place."""
    try:
        status = plain_status(path)
        known = index.by_path(path, status)
        if known is not None:
            return known, None
        data = path.read_bytes()
    except PhotoError as error:
        return Entry(b"", fault=str(error)), None
    except OSError as error:
        return Entry(b"", fault=f"it could not be opened ({error.strerror})"), None
    digest = hashlib.sha256(data).digest()
    known = index.by_hash(digest)
    if known is not None:
        return known.at(status), None
    try:
        photo = to_input(data, geometry)
    except PhotoError as error:
        return Entry(digest, fault=str(error)).at(status), None
    return Entry(digest, look=look(photo)).at(status), photo


def _store(
    path: Path, entry: Entry, photo: NDArray[np.uint8] | None, index: Index, write: Callable[[bytes], int]
) -> Entry:
    """Give a fresh photo its row. A twin within the same chunk was decoded twice, and is stored once."""
    if photo is not None:
        twin = index.by_hash(entry.digest)
        entry = entry.stored(index.rows if twin is None else twin.row)
        if twin is None:
            write(photo.tobytes())
    index.remember(path, entry)
    return entry


def _decoded(found: _Found, index: Index, file: Path, size_px: int) -> Decoded:
    shape = (index.rows, size_px, size_px, 3)
    return Decoded(
        rows=np.frombuffer(found.rows, np.int64),
        hashes=Digests(np.frombuffer(found.hashes, np.uint8).reshape(-1, SIZE)),
        looks=np.frombuffer(found.looks, np.uint64),
        failures=tuple(found.failures),
        pixels=np.memmap(file, np.uint8, "r", shape=shape) if index.rows else np.zeros(shape, np.uint8),
        fresh=index.fresh,
    )


def look(photo: NDArray[np.uint8]) -> int:
    """Difference hash: 64 bits, each tells whether a pixel of the 9 x 8 grey thumbnail is darker than its neighbour.

    Re-encoding or resizing a photo flips a few bits; other photos differ in dozens.
    Source: N. Krawetz, "Kind of Like That", The Hacker Factor, 2013.
    """
    small = Image.fromarray(photo).convert("L").resize((9, 8), Image.Resampling.BOX)
    grey = np.asarray(small, np.int16)
    return int.from_bytes(np.packbits(grey[:, 1:] > grey[:, :-1]).tobytes())


def _chunks(paths: Iterable[Path], size: int) -> Iterator[list[Path]]:
    rest = iter(paths)
    while chunk := list(islice(rest, size)):
        yield chunk


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One run at a time appends; a second one waits, and then finds the work done."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _unwritable(folder: Path, error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"The disk is full under {folder}, where decoded photos are kept. Free space, or set XDG_CACHE_HOME."
    why = error.strerror or error
    return f"Decoded photos cannot be kept in {folder} ({why}). Set XDG_CACHE_HOME to a writable folder."
