"""The cached photos of a dataset, in the order in which they were asked for."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.dataset.cache_index import IndexedPhoto
from training.dataset.digests import SIZE, Digests
from training.dataset.groups.capture import UNKNOWN
from training.dataset.samples import Samples


@dataclass(frozen=True)
class DecodeResult:
    """Cached photos of a dataset, in the order of the requested paths.

    Attributes:
        rows: int64 [N], the row of each photo in `pixels`, -1 for unreadable photos.
        hashes: SHA-256 of each file, empty if it could not be opened.
        difference_hashes: uint64 [N], the difference hash of each photo.
        captures: int64 [N, 2], camera and time of each photo (training.dataset.groups.capture.Capture).
        failures: (path, reason) of the unreadable ones.
        pixels: uint8 [rows, S, S, 3], memory-mapped and read-only.
        fresh: number of photos decoded now.
        notes: sentences about damage of the cache, and why photos were decoded again.
    """

    rows: NDArray[np.int64]
    hashes: Digests
    difference_hashes: NDArray[np.uint64]
    captures: NDArray[np.int64]
    failures: tuple[tuple[Path, str], ...]
    pixels: NDArray[np.uint8]
    fresh: int
    notes: tuple[str, ...] = ()


@dataclass
class DecodeRows:
    """A DecodeResult under construction. It needs only a few dozen bytes a photo, because there may be a million."""

    rows: "array[int]" = field(default_factory=lambda: array("q"))
    hashes: bytearray = field(default_factory=bytearray)
    difference_hashes: "array[int]" = field(default_factory=lambda: array("Q"))
    captures: "array[int]" = field(default_factory=lambda: array("q"))
    failures: list[tuple[Path, str]] = field(default_factory=list)

    def add(self, path: Path, entry: IndexedPhoto) -> None:
        """Append one photo."""
        self.rows.append(entry.row)
        self.hashes += entry.digest.ljust(SIZE, b"\0")
        self.difference_hashes.append(entry.difference_hash)
        self.captures.extend(entry.capture or UNKNOWN)
        if entry.fault:
            self.failures.append((path, entry.fault))

    def result(self, pixels: NDArray[np.uint8], fresh: int, notes: tuple[str, ...]) -> DecodeResult:
        """All of it as arrays."""
        return DecodeResult(
            rows=np.frombuffer(self.rows, np.int64),
            hashes=Digests(np.frombuffer(self.hashes, np.uint8).reshape(-1, SIZE)),
            difference_hashes=np.frombuffer(self.difference_hashes, np.uint64),
            captures=np.frombuffer(self.captures, np.int64).reshape(-1, 2),
            failures=tuple(self.failures),
            pixels=pixels,
            fresh=fresh,
            notes=notes,
        )


@dataclass(frozen=True)
class DecodedDataset:
    """A dataset after decoding, before photos are left out.

    Attributes:
        samples: the readable photos, including test photos.
        groups: for each photo, the number of its group of near duplicates.
        difference_hashes: uint64 [N], difference hash of each photo.
        failures: (path, reason) of the unreadable photos.
        captures: int64 [N, 2], camera and time of each photo (training.dataset.groups.capture.Capture).
        features: float32 [N, F], broad features of each photo; None if the recipe has none.
    """

    samples: Samples
    groups: Sequence[int]
    difference_hashes: NDArray[np.uint64]
    failures: Sequence[tuple[Path, str]]
    captures: NDArray[np.int64]
    features: NDArray[np.float32] | None = None
