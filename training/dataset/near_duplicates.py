"""Find duplicates and near duplicates, which must not be on both sides of a split.

Duplicates have the same SHA-256. Near duplicates have difference hashes at most 3 bits apart and similar colours in
their thumbnails. The colours are needed because calm seas and foggy glaciers can share a hash.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.dataset.digests import Digests
from training.dataset.split import UnionFind

MAX_BITS = 3
MAX_THUMBNAIL_DIFFERENCE = 6.0  # of 255, mean over a 16 x 16 thumbnail; a re-encoded photo stays under 3
_REACH = 32  # neighbours compared in a band: without a limit, thousands of plain photos take quadratic time
_THUMBNAILS = 16_384  # thumbnails in memory, 2 kB each, because plain photos are compared with dozens of others


def find_near_duplicates(
    hashes: Sequence[bytes], difference_hashes: NDArray[np.uint64], rows: NDArray[np.int64], pixels: NDArray[np.uint8]
) -> list[int]:
    """Return the group number of each photo; near duplicates share a number.

    Args:
        hashes: SHA-256 of each photo.
        difference_hashes: its difference hash (training.dataset.cache.difference_hash).
        rows: its row in pixels, uint8 [rows, S, S, 3].
    """
    groups = UnionFind(len(rows))
    for one, other in _same(hashes if isinstance(hashes, Digests) else Digests.of(hashes)):
        groups.join(one, other)
    thumbnail = lru_cache(_THUMBNAILS)(lambda row: _thumbnail(pixels[row]))
    for one, other in _alike(difference_hashes):
        if groups.find(one) != groups.find(other) and _same_colours(thumbnail(rows[one]), thumbnail(rows[other])):
            groups.join(one, other)
    return groups.numbers()


def _same(hashes: Digests) -> Iterator[tuple[int, int]]:
    """Pairs of neighbours with equal hashes in sorted order, which is enough to join all duplicates."""
    words = np.ascontiguousarray(hashes.rows).view(np.uint64)
    order = np.lexsort(words.T)
    equal = (words[order[:-1]] == words[order[1:]]).all(axis=1)
    for place in np.flatnonzero(equal):
        yield int(order[place]), int(order[place + 1])


def _alike(difference_hashes: NDArray[np.uint64]) -> Iterator[tuple[int, int]]:
    """Pairs at most 3 bits apart. They agree in at least one of four bands of 16 bits (pigeonhole principle)."""
    for band in range(4):
        part = (difference_hashes >> np.uint64(16 * band)) & np.uint64(0xFFFF)
        order = np.lexsort((difference_hashes, part))
        for step in range(1, min(_REACH, len(order) - 1) + 1):
            one, other = order[:-step], order[step:]
            near = np.bitwise_count(difference_hashes[one] ^ difference_hashes[other]) <= MAX_BITS
            for place in np.flatnonzero((part[one] == part[other]) & near):
                yield int(one[place]), int(other[place])


def _same_colours(one: NDArray[np.int16], other: NDArray[np.int16]) -> bool:
    return bool(np.abs(one - other).mean() <= MAX_THUMBNAIL_DIFFERENCE)


def _thumbnail(photo: NDArray[np.uint8]) -> NDArray[np.int16]:
    return np.asarray(Image.fromarray(photo).resize((16, 16), Image.Resampling.BOX), np.int16)
