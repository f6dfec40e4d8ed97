"""Find photos that are the same or nearly so: they must not stand on both sides of a split.

Same: equal SHA-256 of the file. Nearly: difference hashes at most 3 bits apart, confirmed by the thumbnails' colours,
since calm seas and foggy glaciers share hashes without being the same photo.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.dataset.digests import Digests
from training.dataset.split import Groups

MAX_BITS = 3
MAX_THUMBNAIL_DIFFERENCE = 6.0  # of 255, mean over a 16 x 16 thumbnail; a re-encoded photo stays under 3
_REACH = 32  # neighbours looked at within a band: keeps thousands of plain photos from costing their square
_THUMBNAILS = 16_384  # kept at hand, 2 kB each: plain photos are compared with dozens of others


def find_twins(
    hashes: Sequence[bytes], looks: NDArray[np.uint64], rows: NDArray[np.int64], pixels: NDArray[np.uint8]
) -> list[int]:
    """Group number of each photo: equal for twins.

    Args:
        hashes: SHA-256 of each photo. looks: its difference hash (training.dataset.cache.look).
        rows: its row in pixels, uint8 [rows, S, S, 3].
    """
    groups = Groups(len(rows))
    for one, other in _same(hashes if isinstance(hashes, Digests) else Digests.of(hashes)):
        groups.join(one, other)
    thumbnail = lru_cache(_THUMBNAILS)(lambda row: _thumbnail(pixels[row]))
    for one, other in _alike(looks):
        if groups.find(one) != groups.find(other) and _same_colours(thumbnail(rows[one]), thumbnail(rows[other])):
            groups.join(one, other)
    return groups.numbers()


def _same(hashes: Digests) -> Iterator[tuple[int, int]]:
    """Pairs with equal sums, enough to join all that are equal: neighbours in the sorted order."""
    words = np.ascontiguousarray(hashes.rows).view(np.uint64)
    order = np.lexsort(words.T)
    equal = (words[order[:-1]] == words[order[1:]]).all(axis=1)
    for place in np.flatnonzero(equal):
        yield int(order[place]), int(order[place + 1])


def _alike(looks: NDArray[np.uint64]) -> Iterator[tuple[int, int]]:
    """Pairs at most 3 bits apart: those agree in at least one of four bands of 16 bits (pigeonhole)."""
    for band in range(4):
        part = (looks >> np.uint64(16 * band)) & np.uint64(0xFFFF)
        order = np.lexsort((looks, part))
        for step in range(1, min(_REACH, len(order) - 1) + 1):
            one, other = order[:-step], order[step:]
            near = np.bitwise_count(looks[one] ^ looks[other]) <= MAX_BITS
            for place in np.flatnonzero((part[one] == part[other]) & near):
                yield int(one[place]), int(other[place])


def _same_colours(one: NDArray[np.int16], other: NDArray[np.int16]) -> bool:
    return bool(np.abs(one - other).mean() <= MAX_THUMBNAIL_DIFFERENCE)


def _thumbnail(photo: NDArray[np.uint8]) -> NDArray[np.int16]:
    return np.asarray(Image.fromarray(photo).resize((16, 16), Image.Resampling.BOX), np.int16)
