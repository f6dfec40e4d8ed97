"""A file that is made of pieces of another one, without a copy of its bytes."""

import io
from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate

MAX_PIECES = 10_000
"""More are a stranger's attempt to fill the memory: a piece takes some 200 bytes, however short it is."""
Part = bytes | tuple[int, int]
"""New bytes, or where a piece of the file begins and ends."""


class Pieces(io.RawIOBase):
    """A readable file of some parts, one behind the other.

    Args:
        data: the whole file.
        parts: the parts; neighbours of the file become one piece.

    Raises:
        ValueError: they are more than `MAX_PIECES`.
    """

    def __init__(self, data: bytes, parts: Iterable[Part]) -> None:
        view = memoryview(data)
        self._pieces = [view[part[0] : part[1]] if isinstance(part, tuple) else part for part in _merged(parts)]
        self._pieces = [piece for piece in self._pieces if len(piece)]
        self._ends = [*accumulate(map(len, self._pieces))]
        self._at = 0

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = max(0, offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: len(self)}[whence])
        return self._at

    def readinto(self, room: memoryview) -> int:  # type: ignore[override]
        """Fill at most the room with what one piece still holds; return 0 at the end."""
        number = bisect_right(self._ends, self._at)
        if number == len(self._pieces):
            return 0
        piece = self._pieces[number]
        start = self._at - self._ends[number] + len(piece)
        count = min(len(room), len(piece) - start)
        room[:count] = piece[start : start + count]
        self._at += count
        return count


def _merged(parts: Iterable[Part]) -> list[Part]:
    merged: list[Part] = []
    for part in parts:
        last = merged[-1] if merged else b""
        if isinstance(part, tuple) and isinstance(last, tuple) and last[1] == part[0]:
            merged[-1] = last[0], part[1]
        elif len(merged) == MAX_PIECES:
            raise ValueError("too many pieces")
        else:
            merged.append(part)
    return merged
