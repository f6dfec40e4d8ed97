"""Find photos whose features are nearest to each other, a block of photos at a time."""

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

NEAREST = 3
"""Neighbours of a photo that count: a burst has a few photos, and each is near to the next ones."""

_ALL = 20_000  # photos up to which each is compared with all others: 3 s of one core for 8,741
_PLACES = 64  # numbers that stand for the features of a photo where there are more photos
_LIST = 1_000  # photos that are compared with each other then, on average
_LONGEST = 8 * _LIST
_ROWS = 512

Ints = NDArray[np.int64]


class Rows(Protocol):
    """Rows that are taken by number: an array, or two of them stacked."""

    @property
    def shape(self) -> tuple[int, ...]:
        """As of an array."""

    def __getitem__(self, numbers: Any, /) -> Any:
        """One row, or the rows of an array of numbers."""


def mutual_neighbours(features: Rows, among: Ints, cosine: float) -> Iterator[tuple[int, int]]:
    """Yield pairs of photos that are among each other's nearest and have at least this cosine.

    Up to 20,000 photos, each is compared with all others. Where there are more, time must not grow with their square:
    features are projected to 64 random directions, photos are put into lists of about a thousand by the nearest of some
    photos drawn by a fixed seed, and each is compared with its list. Copies in two lists are not found then. A million
    photos need 0.3 GB of memory.

    Args:
        features: float32 [N, F] of any length; may be memory-mapped.
        among: the photos that are compared, int64 [M]; pairs are of these numbers.
    """
    every = np.arange(len(among))
    nearest = np.full((len(among), NEAREST), -1, np.int64)
    if len(among) <= _ALL:
        _nearest(_unit(features[among]), every, nearest)
    else:
        short = _projected(features, among)
        for members in _lists(short):
            _nearest(short[members], members, nearest)
    for step in range(NEAREST):
        other = nearest[:, step]
        met = (other >= 0) & (nearest[other] == every[:, None]).any(axis=1) & (every < other)
        for one in np.flatnonzero(met):
            pair = among[[one, other[one]]]
            left, right = _unit(features[pair])
            if float(left @ right) >= cosine:
                yield int(pair[0]), int(pair[1])


def _nearest(rows: NDArray[np.float32], members: Ints, out: Ints) -> None:
    """Write the nearest other members of each member; `rows` are theirs, at unit length."""
    count = min(NEAREST, len(members) - 1)
    if count < 1:
        return
    for start in range(0, len(rows), _ROWS):
        close = rows[start : start + _ROWS] @ rows.T
        here = np.arange(len(close))
        close[here, start + here] = -np.inf
        best = np.argpartition(close, -count, axis=1)[:, -count:]
        out[members[start + here], :count] = members[best]


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    rows = np.asarray(rows, np.float32)
    unit: NDArray[np.float32] = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return unit


def _projected(features: Rows, among: Ints) -> NDArray[np.float32]:
    """The features less their mean over some photos, in random directions, at unit length, float32 [N, 64]."""
    rng = np.random.default_rng(0)
    mean = _unit(features[among[:: max(1, len(among) // _LIST)]]).mean(axis=0)
    directions = rng.standard_normal((features.shape[1], _PLACES)).astype(np.float32)
    short = np.empty((len(among), _PLACES), np.float32)
    for start in range(0, len(among), _ROWS):
        rows = _unit(features[among[start : start + _ROWS]])
        short[start : start + _ROWS] = _unit((rows - mean) @ directions)
    return short


def _lists(short: NDArray[np.float32]) -> Iterator[Ints]:
    """Yield the photos by the nearest of some drawn ones; a list that is too long is cut."""
    drawn = np.random.default_rng(0).choice(len(short), max(1, len(short) // _LIST), replace=False)
    centres = short[np.sort(drawn)]
    list_of = np.empty(len(short), np.int64)
    for start in range(0, len(short), _ROWS):
        list_of[start : start + _ROWS] = (short[start : start + _ROWS] @ centres.T).argmax(axis=1)
    order = np.argsort(list_of, kind="stable")
    for members in np.split(order, np.searchsorted(list_of[order], np.arange(1, len(centres)))):
        for start in range(0, len(members), _LONGEST):
            yield members[start : start + _LONGEST]
