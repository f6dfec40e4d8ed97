"""Inspect every photo of a dataset in a pool of threads, and keep a few bytes of each.

A million photos need 0.1 GB of memory and 0.8 GB in a memory-mapped temporary file.
"""

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from common.errors import PhotoError
from contract.geometry import Geometry
from training.check.photo import THUMBNAIL_PX, PhotoInspection, inspect_photo
from training.errors import TrainingError
from training.recipe.recipe import Input

CHUNK = 512  # most photos in work at once
GEOMETRY = Geometry("stretch", Input().size_px)
"""The default geometry of training, so that both find the same near duplicates."""


@dataclass
class Scan:
    """Result of a scan, by index of the photo in the dataset.

    Attributes:
        digests: SHA-256 of each file.
        sizes: uint32 [N, 2], width and height; 0 for unreadable photos.
        spreads: float32 [N], see PhotoInspection.
        difference_hashes: uint64 [N].
        thumbnails: uint8 [N, 16, 16, 3], on disk.
        faults, mistyped: by index, only of photos that have one.
    """

    sizes: NDArray[np.uint32]
    spreads: NDArray[np.float32]
    difference_hashes: NDArray[np.uint64]
    thumbnails: NDArray[np.uint8]
    digests: list[bytes] = field(default_factory=list)
    faults: dict[int, PhotoError] = field(default_factory=dict)
    mistyped: dict[int, str] = field(default_factory=dict)

    def add(self, seen: PhotoInspection) -> None:
        """Add the next photo."""
        number = len(self.digests)
        self.digests.append(seen.digest)
        if seen.mistyped:
            self.mistyped[number] = seen.mistyped
        if seen.fault is not None:
            self.faults[number] = seen.fault
        if seen.thumbnail is None:
            return
        self.sizes[number] = seen.width, seen.height
        self.spreads[number], self.difference_hashes[number] = seen.spread, seen.difference_hash
        self.thumbnails[number] = seen.thumbnail

    def readable(self) -> NDArray[np.int64]:
        """Indices of the photos that decode."""
        return np.flatnonzero(self.sizes[:, 0] > 0)


@contextmanager
def scan_photos(paths: Sequence[Path], tick: Callable[[int], None] = lambda done: None) -> Iterator[Scan]:
    """Inspect all photos. The scan is valid only inside the block, because its thumbnails are in a temporary file.

    Args:
        paths: the photos.
        tick: called with the number of photos done since the last call.

    Raises:
        TrainingError: there is no space for the thumbnails.
    """
    count = len(paths)
    with tempfile.TemporaryFile(prefix="phototriage-") as file:
        scan = Scan(
            sizes=np.zeros((count, 2), np.uint32),
            spreads=np.zeros(count, np.float32),
            difference_hashes=np.zeros(count, np.uint64),
            thumbnails=_on_disk(file.fileno(), (count, THUMBNAIL_PX, THUMBNAIL_PX, 3)),
        )
        _fill(scan, paths, tick)
        yield scan


def _fill(scan: Scan, paths: Sequence[Path], tick: Callable[[int], None]) -> None:
    pool = ThreadPoolExecutor(len(os.sched_getaffinity(0)), "check")
    try:
        for start in range(0, len(paths), CHUNK):
            for seen in pool.map(partial(inspect_photo, geometry=GEOMETRY), paths[start : start + CHUNK]):
                scan.add(seen)
                tick(1)
    finally:
        pool.shutdown(cancel_futures=True)


def _on_disk(descriptor: int, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    try:
        # Allocate the space now, because a disk that fills up under a memory map kills the process (SIGBUS).
        os.posix_fallocate(descriptor, 0, int(np.prod(shape)))
    except OSError as error:
        folder = tempfile.gettempdir()
        raise TrainingError(
            f"There is no space for {int(np.prod(shape)) >> 20} MiB of thumbnails in {folder} ({error.strerror})."
            " Set TMPDIR to a folder with more space."
        ) from error
    with os.fdopen(os.dup(descriptor), "r+b") as file:
        return np.memmap(file, np.uint8, "r+", shape=shape)
