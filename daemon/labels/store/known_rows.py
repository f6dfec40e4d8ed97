"""The rows of all ledgers of one output, as a look asks for them: `Known` on SQLite."""

import json
import os
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from daemon.labels.listed.listing import Listing
from daemon.labels.listed.tree import parted
from daemon.labels.rows import Row, RowId
from daemon.labels.store.place_columns import file_in, place_in
from daemon.ledger.refiles import ON_ITS_WAY

Answer = TypeVar("Answer")
Ask = Callable[[Callable[[sqlite3.Connection], Answer]], Answer]
_ROWS = (
    "SELECT places.photo, folder, name, places.inode, places.size, places.mtime_ns, target, filed_as, said,"
    " photos.sha256, filed_size, photos.concluded_at, is_gone FROM places JOIN photos ON photos.id = places.photo"
    f" WHERE NOT {ON_ITS_WAY} AND "
)

_PHOTOS = "SELECT photo, name FROM places WHERE folder = ? AND NOT is_gone"
_FILES = "SELECT photo, name, inode, size, mtime_ns FROM places WHERE folder = ? AND NOT is_gone"
_FEW = 1_000  # names that are looked for one by one
_TOGETHER = 10_000  # rows in memory at once


class LedgerRows:
    """The rows of one ledger.

    Args:
        name: of the ledger, in the ids of its rows.
        ask: calls a question with a connection to the ledger.
        fresh: photos that were filed while the output was listed: only the next look can judge whether they are in
            their places.
        young_to: highest number in `unplaced` of the photos that the look is the first one for.
        all_young: whether what the last look saw is not known, so that each photo has to be looked for.
    """

    def __init__(
        self,
        name: str,
        ask: "Callable[[Callable[[sqlite3.Connection], Any]], Any]",
        *,
        fresh: Collection[int] = (),
        young_to: int = 0,
        all_young: bool = False,
    ) -> None:
        self._name, self._ask = name, ask
        self._fresh, self._young_to, self._all_young = frozenset(fresh), young_to, all_young

    def rows(self, rows: Collection[RowId]) -> Sequence[Row]:
        """Return these rows, without those whose photo was taken back meanwhile, or is on its way."""
        return self._of([photo for ledger, photo in rows if ledger == self._name])

    def newly_filed(self) -> Iterator[Row]:
        """Yield the rows that no look has seen yet, or all."""
        if self._all_young:
            most = self._ask(lambda connection: connection.execute("SELECT max(photo) FROM places").fetchone()[0]) or 0
            condition = "places.photo > ? AND places.photo <= ?"
        else:
            most = self._young_to
            condition = "places.photo IN (SELECT photo FROM unplaced WHERE number > ? AND number <= ?)"
        for first in range(0, most, _TOGETHER):
            rows = self._rows(condition, first, min(first + _TOGETHER, most))
            yield from (row for row in rows if row.id[1] not in self._fresh)

    def displaced(self, folder: str, listing: Listing) -> Sequence[Row]:
        """Return the rows of a folder whose file is not exactly in the listing."""
        inodes = np.asarray(listing.inodes).view(np.int64).tolist()
        columns = zip(inodes, listing.sizes, listing.mtimes_ns, strict=True)
        names = os.fsencode(listing.joined).split(b"/") if inodes else []
        files = dict(zip(names, columns, strict=True))

        def _question(connection: sqlite3.Connection) -> list[int]:
            cursor = connection.cursor()
            cursor.row_factory = None  # plain tuples are made in half the time
            rows = cursor.execute(_FILES, (os.fsencode(folder),))
            odd = [photo for photo, name, inode, size, mtime_ns in rows if files.get(name) != (inode, size, mtime_ns)]
            return [photo for photo in odd if photo not in self._fresh]

        rows = self._of(self._ask(_question))
        return [row for row in rows if not _is_same_link(row, listing)]

    def at(self, folder: str, names: Collection[str]) -> Sequence[Row]:
        """Return the rows that are not gone and whose place has one of these names in this folder."""
        wanted, inside = {os.fsencode(name) for name in names}, os.fsencode(folder)

        def _question(connection: sqlite3.Connection) -> list[int]:
            if len(wanted) < _FEW:
                found = (connection.execute(f"{_PHOTOS} AND name = ?", (inside, name)) for name in wanted)
                return [photo for rows in found for photo, _ in rows]
            return [photo for photo, name in connection.execute(_PHOTOS, (inside,)) if name in wanted]

        return self._of(self._ask(_question))

    def gone(self, sizes: Collection[int]) -> Sequence[Row]:
        """Return the gone rows whose file, as filed or as last seen, has one of these sizes, or is a link."""
        wanted = "IN (SELECT value FROM json_each(?1))"
        which = (
            f"SELECT photo FROM places WHERE is_gone AND size {wanted}"
            f" UNION SELECT photo FROM places WHERE is_gone AND filed_size {wanted}"
            " UNION SELECT photo FROM places WHERE is_gone AND target <> x''"
        )
        return self._rows(f"places.photo IN ({which})", json.dumps(sorted(sizes)))

    def how_many(self, name: str) -> int:
        """Return how many photos lie in a class."""
        return self._counts.get(name, 0)

    @cached_property
    def _counts(self) -> dict[str, int]:
        count = "SELECT class, count(*) FROM places WHERE NOT is_gone GROUP BY class"
        counts: dict[str, int] = self._ask(lambda connection: dict(connection.execute(count)))
        return counts

    def _of(self, photos: list[int]) -> list[Row]:
        return self._rows("places.photo IN (SELECT value FROM json_each(?))", json.dumps(photos)) if photos else []

    def _rows(self, condition: str, *values: int | str | bytes) -> list[Row]:
        def _question(connection: sqlite3.Connection) -> list[Row]:
            cursor = connection.cursor()
            cursor.row_factory = None
            return [self._row(columns) for columns in cursor.execute(f"{_ROWS}{condition}", values)]

        found: list[Row] = self._ask(_question)
        return found

    def _row(self, columns: Sequence[Any]) -> Row:
        photo, folder, name, *file, filed_as, said, sha256, filed_size, filed_s, is_gone = columns
        place = place_in(folder, name)
        return Row(
            (self._name, photo), place, file_in(file), filed_as, said, sha256, filed_size, filed_s or 0.0, bool(is_gone)
        )


class AllRows:
    """The rows of several ledgers, read together.

    Args:
        own: the ledger whose photos are looked for.
        others: the other ledgers of the output; called once, if they are needed.
    """

    def __init__(self, own: LedgerRows, others: Callable[[], Sequence[LedgerRows]]) -> None:
        self._own, self._others = own, others
        self._all: Sequence[LedgerRows] = ()

    def rows(self, rows: Collection[RowId]) -> Sequence[Row]:
        """Return rows of the own ledger."""
        return self._own.rows(rows)

    def newly_filed(self) -> Iterable[Row]:
        """Yield the rows of the own ledger that no look has seen yet."""
        return self._own.newly_filed()

    def displaced(self, folder: str, listing: Listing) -> Sequence[Row]:
        """Return the rows of a folder whose file is not exactly in the listing."""
        return [row for ledger in self._every() for row in ledger.displaced(folder, listing)]

    def at(self, folder: str, names: Collection[str]) -> Sequence[Row]:
        """Return the rows that are not gone and whose place has one of these names in this folder."""
        return [row for ledger in self._every() for row in ledger.at(folder, names)]

    def gone(self, sizes: Collection[int]) -> Sequence[Row]:
        """Return the gone rows whose file, as filed or as last seen, has one of these sizes, or is a link."""
        return [row for ledger in self._every() for row in ledger.gone(sizes)]

    def how_many(self, name: str) -> int:
        """Return how many photos lie in a class."""
        return sum(ledger.how_many(name) for ledger in self._every())

    def _every(self) -> Sequence[LedgerRows]:
        if not self._all:
            self._all = [self._own, *self._others()]
        return self._all


def _is_same_link(row: Row, listing: Listing) -> bool:
    return bool(row.file.target) and listing.targets.get(parted(row.place)[1]) == row.file.target
