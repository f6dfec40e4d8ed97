"""Find duplicates and near duplicates, which must not be on both sides of a split.

Duplicates have the same SHA-256. Near duplicates have difference hashes at most 3 bits apart and similar colours in
their thumbnails. The colours are needed because calm seas and foggy glaciers can share a hash. Where there are features
of the photos, copies that were moved, mirrored, cropped, brightened or framed are found, too. Pages, such as receipts,
must agree in their lines as well.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from contract.fingerprint import MAX_BITS, MAX_THUMBNAIL_DIFFERENCE, is_page, thumbnail
from training.dataset.digests import Digests
from training.dataset.neighbours import Rows, mutual_neighbours
from training.dataset.second_look import same_page, same_picture
from training.dataset.split import UnionFind

Ints = NDArray[np.int64]

LEAST_COSINE = 0.85
"""Cosine of features from which two photos get a second look; crops to 80 % are at 0.9 and below."""

_REACH = 32  # neighbours compared in a band: without a limit, thousands of plain photos take quadratic time
_TONE_BOUNDS = np.array([3, 3, 6, 2]) * MAX_THUMBNAIL_DIFFERENCE  # how far the tones of similar thumbnails can differ
_SIDE = 16  # of the thumbnails
_THUMBNAILS = 16_384  # in memory, 2 kB each
_REFUSALS = 16  # pages with one hash that a page is compared with in vain: thousands of receipts take quadratic time


def find_near_duplicates(
    hashes: Sequence[bytes],
    difference_hashes: NDArray[np.uint64],
    rows: NDArray[np.int64],
    pixels: Rows,
    features: Rows | None = None,
) -> list[int]:
    """Return the group number of each photo; near duplicates share a number.

    Args:
        hashes: SHA-256 of each photo.
        difference_hashes: its difference hash (contract.fingerprint.difference_hash).
        rows: its row in pixels, uint8 [rows, S, S, 3].
        features: float32 [N, F], its broad features, of any length. Photos are also near duplicates if they are among
            each other's nearest by cosine, and their pixels agree in a second look.
    """
    groups = UnionFind(len(rows))
    for one, other in _same(hashes if isinstance(hashes, Digests) else Digests.of(hashes)):
        groups.join(one, other)
    pictures = _Pictures(rows, pixels)
    for one, other in _alike(difference_hashes, pictures.thumbnail):
        if groups.find(one) != groups.find(other) and pictures.same_saved_again(one, other):
            groups.join(one, other)
    if features is not None:
        first = np.unique(np.array(groups.numbers(), np.int64))  # of each group: copies would fill its neighbours
        for one, other in mutual_neighbours(features, first, LEAST_COSINE):
            if groups.find(one) != groups.find(other) and pictures.same_changed(one, other):
                groups.join(one, other)
    return groups.numbers()


class _Pictures:
    """Compares photos by their pixels.

    Thumbnails of the last photos are kept, because plain photos are compared with dozens of others.
    """

    def __init__(self, rows: Ints, pixels: Rows) -> None:
        self._rows, self._pixels = rows, pixels
        self._refused = np.zeros(len(rows), np.uint8)
        self.thumbnail = lru_cache(_THUMBNAILS)(self._thumbnail)

    def same_saved_again(self, one: int, other: int) -> bool:
        """Whether two photos with one hash have the same colours and, if they are pages, the same lines."""
        if max(self._refused[one], self._refused[other]) >= _REFUSALS:
            return False
        if np.abs(self.thumbnail(one) - self.thumbnail(other)).mean() > MAX_THUMBNAIL_DIFFERENCE:
            return False
        same = self._same_if_pages(one, other)
        if not same:
            self._refused[[one, other]] += 1
        return same

    def same_changed(self, one: int, other: int) -> bool:
        """Whether one of two photos with similar features is the other: moved, mirrored, cropped, brightened."""
        return same_picture(self._pixels_of(one), self._pixels_of(other)) and self._same_if_pages(one, other)

    def _same_if_pages(self, one: int, other: int) -> bool:
        left, right = self._pixels_of(one), self._pixels_of(other)
        return not is_page(left) or not is_page(right) or same_page(left, right)

    def _pixels_of(self, photo: int) -> NDArray[np.uint8]:
        pixels: NDArray[np.uint8] = self._pixels[self._rows[photo]]
        return pixels

    def _thumbnail(self, photo: int) -> NDArray[np.int16]:
        return thumbnail(self._pixels_of(photo), _SIDE)


def _same(hashes: Digests) -> Iterator[tuple[int, int]]:
    """Pairs of neighbours with equal hashes in sorted order, which is enough to join all duplicates."""
    words = np.ascontiguousarray(hashes.rows).view(np.uint64)
    order = np.lexsort(words.T)
    equal = (words[order[:-1]] == words[order[1:]]).all(axis=1)
    for place in np.flatnonzero(equal):
        yield int(order[place]), int(order[place + 1])


def _alike(
    difference_hashes: NDArray[np.uint64], thumbnail: Callable[[int], NDArray[np.int16]]
) -> Iterator[tuple[int, int]]:
    """Pairs at most 3 bits apart. They agree in at least one of four bands of 16 bits (pigeonhole principle).

    Where more photos share a band than are compared, such as thousands of plain ones, they are compared in further
    orders: copies have similar tones, so they are neighbours in one of them.
    """
    tones = np.full((len(difference_hashes), len(_TONE_BOUNDS)), np.nan, np.float32)  # of crowded photos
    for band in range(4):
        part = ((difference_hashes >> np.uint64(16 * band)) & np.uint64(0xFFFF)).astype(np.int64)
        crowded = np.flatnonzero(np.bincount(part, minlength=1 << 16)[part] > _REACH)
        for photo in crowded[np.isnan(tones[crowded, 0])].tolist():
            tones[photo] = _tones(thumbnail(photo))
        yield from _near(np.lexsort((difference_hashes, part)), part, difference_hashes, tones)
        for tone in tones[crowded].T:
            yield from _near(crowded[np.lexsort((tone, part[crowded]))], part, difference_hashes, tones)


def _near(
    order: Ints, part: Ints, difference_hashes: NDArray[np.uint64], tones: NDArray[np.float32]
) -> Iterator[tuple[int, int]]:
    """Neighbours in an order that share a band, are at most 3 bits apart and can have similar colours."""
    for step in range(1, min(_REACH, len(order) - 1) + 1):
        one, other = order[:-step], order[step:]
        near = np.bitwise_count(difference_hashes[one] ^ difference_hashes[other]) <= MAX_BITS
        places = np.flatnonzero((part[one] == part[other]) & near)
        one, other = one[places], other[places]
        apart = (np.abs(tones[one] - tones[other]) > _TONE_BOUNDS).any(axis=1)  # unknown tones are not apart
        yield from zip(one[~apart].tolist(), other[~apart].tolist(), strict=True)


def _tones(thumbnail: NDArray[np.int16]) -> tuple[float, ...]:
    """Brightness, warmth, green, and how much lighter the upper half is."""
    red, green, blue = thumbnail.mean(axis=(0, 1))
    half = len(thumbnail) // 2
    return red + green + blue, red - blue, 2 * green - red - blue, thumbnail[:half].mean() - thumbnail[half:].mean()
