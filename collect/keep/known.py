"""Which photos are known already: those of the dataset, and those that were collected.

Known are nearly equal pixels: the same photo, also saved again or made smaller. Of a dataset every photo is decoded
once, and its fingerprint is kept beside the collection. A million photos take 0.4 GB of memory.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from collect.keep.dataset import Own
from collect.keep.eye import Eye
from common.errors import PhotoError
from contract.fingerprint import MAX_BITS, MAX_THUMBNAIL_DIFFERENCE, SIDE, Fingerprint
from daemon.process.cores import usable_cores

MARKS = ".dataset"
SAME_PAGE_DIFFERENCE, SAME_PAGE_LIKENESS = 1.5, 0.995
"""Mean difference, of 255, and correlation of thumbnails of the same page. Pages have few hashes, so that more has to
agree: of 60 receipts, no two have more than 0.990 in common, and none less than 0.996 with itself at half its size."""
TOLD_EVERY = 2_000
_PART = 512
_THUMBNAIL = ("thumbnail", "u1", (3 * SIDE * SIDE,))
_MARK = np.dtype([("bits", "<u8"), _THUMBNAIL])
_STORED = np.dtype([("key", "S16"), ("bits", "<u8"), _THUMBNAIL])
_NONE = Fingerprint(0, 0, False, bytes(3 * SIDE * SIDE))
"""Of a photo that cannot be read: that of a black picture, which nobody collects."""

Rows = NDArray[np.void]


class Known:
    """Photos that candidates are compared with.

    Args:
        own: of the dataset.
        kept: of the collection.
    """

    def __init__(self, own: Rows, kept: Iterable[Fingerprint]) -> None:
        self._own, self._kept = own, list(kept)
        self._own_bits = np.ascontiguousarray(own["bits"])  # all are compared with each candidate

    def add(self, mark: Fingerprint) -> None:
        """Add a photo that is kept."""
        self._kept.append(mark)

    def is_own(self, mark: Fingerprint) -> bool:
        """Return whether the dataset holds a photo of this fingerprint, or nearly the same one."""
        return _is_among(mark, self._own_bits, self._own)

    def is_kept(self, mark: Fingerprint) -> bool:
        """Return whether such a photo was collected."""
        rows = _rows(self._kept)
        return _is_among(mark, rows["bits"], rows)


def own_marks(own: Iterable[Own], eye: Eye, file: Path, say: Callable[[str], None]) -> Rows:
    """Return the marks of a dataset's photos, one row for each.

    Args:
        own: the photos.
        eye: looks at those that are new, or were changed, since the last time.
        file: holds the marks of those that were looked at.
        say: called with sentences about how far it is.
    """
    fresh, looked_at = [np.zeros(0, _MARK)], 0
    with file.open("a+b") as stored, ThreadPoolExecutor(usable_cores()) as pool:
        rows = _read(stored)
        order = rows["key"].argsort()
        keys, used = rows["key"][order], np.zeros(len(rows), np.bool_)
        left = iter(own)
        while part := list(islice(left, _PART)):
            wanted = np.array([_key(photo.path) for photo in part], "S16")
            places = keys.searchsorted(wanted)
            known = np.array(
                [place < len(keys) and keys[place] == key for place, key in zip(places, wanted, strict=True)]
            )
            used[order[places[known]]] = True
            new = np.flatnonzero(~known)
            marks = list(pool.map(lambda number: _mark(part[number].path, eye), new.tolist()))
            stored.write(_to_store(wanted[new], marks).tobytes())
            fresh.append(_rows(marks))
            looked_at += len(marks)
            if looked_at // TOLD_EVERY > (looked_at - len(new)) // TOLD_EVERY:
                say(f"{looked_at:,} photos of the dataset were looked at, once for all collections to this folder.")
    return np.concatenate([_without_keys(rows[used]), *fresh])


def _is_among(mark: Fingerprint, bits: NDArray[np.uint64], rows: Rows) -> bool:
    near = np.flatnonzero(np.bitwise_count(bits ^ np.uint64(mark.bits)) <= MAX_BITS)
    mine = np.frombuffer(mark.thumbnail, np.uint8).astype(np.float32)
    theirs = rows["thumbnail"][near].astype(np.float32)
    apart = np.abs(theirs - mine).mean(axis=1)
    if mark.tells:
        return bool((apart <= MAX_THUMBNAIL_DIFFERENCE).any())
    same = (apart <= SAME_PAGE_DIFFERENCE) & (_correlation(theirs, mine) >= SAME_PAGE_LIKENESS)
    return bool((same | (apart == 0)).any())


def _correlation(rows: NDArray[np.float32], one: NDArray[np.float32]) -> NDArray[np.float32]:
    rows, one = rows - rows.mean(axis=1, keepdims=True), one - one.mean()
    lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(one)
    return np.asarray(rows @ one / np.maximum(lengths, 1e-6), np.float32)


def _rows(marks: Sequence[Fingerprint]) -> Rows:
    return np.array([(mark.bits, np.frombuffer(mark.thumbnail, np.uint8)) for mark in marks], _MARK)


def _to_store(keys: NDArray[np.bytes_], marks: Sequence[Fingerprint]) -> Rows:
    stored = np.zeros(len(marks), _STORED)
    stored["key"] = keys
    for name in ("bits", "thumbnail"):
        stored[name] = _rows(marks)[name]
    return stored


def _without_keys(rows: Rows) -> Rows:
    bare = np.zeros(len(rows), _MARK)
    for name in ("bits", "thumbnail"):
        bare[name] = rows[name]
    return bare


def _read(stored: BinaryIO) -> Rows:
    """The stored rows; what a killed process wrote of the last one is cut off."""
    size = stored.seek(0, os.SEEK_END)
    stored.truncate(size - size % _STORED.itemsize)
    stored.seek(0)
    return np.frombuffer(stored.read(), _STORED)


def _key(path: Path) -> bytes:
    """What tells a file at a path from another one there."""
    try:
        status = path.stat()
    except OSError:
        return bytes(16)
    words = f"{status.st_size}:{status.st_mtime_ns}:".encode() + os.fsencode(path.absolute())
    return hashlib.blake2b(words, digest_size=16).digest()


def _mark(path: Path, eye: Eye) -> Fingerprint:
    try:
        return eye.look(path).mark
    except PhotoError:
        return _NONE
