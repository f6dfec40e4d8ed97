"""What every root is listed as: rows in an order that does not change, and where the listing goes on after each."""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows of a root, one after the other.

    Attributes:
        table: the rows.
        after: tells, for the index of a row, where the listing goes on after it.
        unread: sentences about what could not be read before these rows.
    """

    table: pa.Table
    after: Callable[[int], str]
    unread: tuple[str, ...] = ()


class Source(Protocol):
    """A root that can be listed."""

    def chunks(self, pool: Executor, after: str) -> Iterator[Chunk]:
        """Yield its rows, from the beginning (`after` is empty) or from where a chunk said that the listing goes on.

        Raises:
            RootError: it cannot be listed.
        """
