"""The file of decoded photos: rows of one size, each with a checksum in the index."""

import os
import zlib
from io import FileIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.dataset.cache_index import CacheIndex, IndexedPhoto


class PixelFile(FileIO):
    """The file of rows. A row counts only if its checksum holds.

    Attributes:
        index: the index of the rows.
        damaged: number of rows whose checksum did not hold.
    """

    def __init__(self, file: Path, index: CacheIndex, size_px: int) -> None:
        super().__init__(file, "a+")
        self.file, self.index, self.damaged = file, index, 0
        self._row_bytes = size_px**2 * 3

    def intact(self, entry: IndexedPhoto | None) -> IndexedPhoto | None:
        """The entry, or None if its row is damaged. Then it is forgotten, so that its photo is decoded again."""
        if entry is None:
            return None
        place = max(entry.row, 0) * self._row_bytes
        if checksum(os.pread(self.fileno(), self._row_bytes, place), entry) == entry.crc:
            return entry
        self.index.forget(entry)
        self.damaged += 1
        return None

    def append(self, pixels: NDArray[np.uint8]) -> None:
        """Add a row, whole: other threads may read it at once."""
        rest = memoryview(pixels.tobytes())
        while rest:
            rest = rest[self.write(rest) :]


def checksum(pixels: bytes, entry: IndexedPhoto) -> int:
    """CRC-32 of the pixels of a row and of what the index says about it, except its place."""
    return zlib.crc32(entry.digest + entry.difference_hash.to_bytes(8, "big"), zlib.crc32(pixels))
