"""Which file lies there? The names of a folder are parted once, and only when one of them is asked for."""

from daemon.labels.listed.listing import File
from daemon.labels.listed.tree import Tree, parted


class Files:
    """The files of a tree by place.

    Attributes:
        tree: the output as one look saw it.
    """

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self._positions: dict[str, dict[str, int]] = {}

    def at(self, place: str) -> File | None:
        """Return the file at a place; None if there is none."""
        folder, name = parted(place)
        position = self.positions(folder).get(name)
        return None if position is None else self.tree.listing(folder).file(position, name)

    def positions(self, folder: str) -> dict[str, int]:
        """Return the positions in a folder's listing by name."""
        if folder not in self._positions:
            self._positions[folder] = self.tree.listing(folder).positions()
        return self._positions[folder]
