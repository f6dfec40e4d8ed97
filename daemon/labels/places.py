"""Which rows have their place there? Asked for many places at once, and once for each."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from daemon.labels.listed.tree import joined, parted
from daemon.labels.rows import Known, Row


class Places:
    """The rows at some places of the output.

    Args:
        known: the ledgers' rows.
    """

    def __init__(self, known: Known) -> None:
        self._known = known
        self._rows: dict[str, list[Row]] = {}

    def ask(self, places: Iterable[str]) -> None:
        """Read the rows at these places, folder by folder."""
        wanted = defaultdict[str, set[str]](set)
        for folder, name in (parted(place) for place in places if place not in self._rows):
            wanted[folder].add(name)
        for folder, names in wanted.items():
            self._rows |= {joined(folder, name): [] for name in names}
            for row in self._known.at(folder, names):
                self._rows[row.place].append(row)

    def rows(self, place: str) -> Sequence[Row]:
        """Return the rows that are not gone and have their place here; it must have been asked for."""
        return self._rows[place]
