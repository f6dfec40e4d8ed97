"""Rows of two arrays one after the other, without a copy: one of them may be memory-mapped, and hold a million rows."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


class Stacked:
    """Rows of two arrays of one type; those of the second follow those of the first.

    Args:
        first: [N, ...].
        second: [M, ...].
    """

    def __init__(self, first: NDArray[Any], second: NDArray[Any]) -> None:
        self._first, self._second = first, second

    @property
    def shape(self) -> tuple[int, ...]:
        """As of the concatenated array."""
        return (len(self._first) + len(self._second), *self._first.shape[1:])

    def __getitem__(self, numbers: Any) -> NDArray[Any]:
        """One row by its number, or the rows of an array of numbers."""
        places = np.asarray(numbers)
        own = places < len(self._first)
        if places.ndim == 0:
            row: NDArray[Any] = self._first[places] if own else self._second[places - len(self._first)]
            return row
        rows = np.empty((len(places), *self._first.shape[1:]), self._first.dtype)
        rows[own] = self._first[places[own]]
        rows[~own] = self._second[places[~own] - len(self._first)]
        return rows
