"""SHA-256 hashes of many files in one array: a million of them as objects would need three times the memory."""

from collections.abc import Iterable, Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray

SIZE = 32
_NONE = bytes(SIZE)


class Digests(Sequence[bytes]):
    """A sequence of hashes, each 32 bytes long, or empty for a file that could not be read.

    Args:
        rows: uint8 [N, 32]; zeros mean no hash.
    """

    def __init__(self, rows: NDArray[np.uint8]) -> None:
        self.rows = rows

    @classmethod
    def of(cls, digests: Iterable[bytes]) -> "Digests":
        """Pack hashes; shorter ones are padded with zeros."""
        packed = b"".join(digest.ljust(SIZE, b"\0") for digest in digests)
        return cls(np.frombuffer(packed, np.uint8).reshape(-1, SIZE))

    def take(self, numbers: NDArray[np.int64]) -> "Digests":
        """Select hashes by index."""
        return Digests(self.rows[numbers])

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, number: int) -> bytes: ...
    @overload
    def __getitem__(self, number: slice) -> "Digests": ...
    def __getitem__(self, number: int | slice) -> "bytes | Digests":
        if isinstance(number, slice):
            return Digests(self.rows[number])
        digest = self.rows[number].tobytes()
        return b"" if digest == _NONE else digest

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Digests) and np.array_equal(self.rows, other.rows)

    def __hash__(self) -> int:
        return hash(self.rows.tobytes())
