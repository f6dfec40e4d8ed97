"""The output as one look saw it: which folders there are, and what lies in them."""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from daemon.labels.listed.listing import NOTHING, File, Listing

BASE_LINE_S = 0.0
"""`since_s` of what lay in the output at the first look: nobody knows who put it there, so it teaches nothing."""


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder as one look saw it.

    Attributes:
        device: of its file system.
        inode: a rename keeps it.
        mtime_ns: changes when a name in it appears or goes.
        listing: what lies in it; the same object as before if nothing changed.
        is_settled: whether it was listed again at the same time of change. Time has steps, of 4 ms to 2 s: a name
            that appeared in the same step as the first listing would be missed for ever.
    """

    device: int
    inode: int
    mtime_ns: int
    listing: Listing
    is_settled: bool = False

    @property
    def key(self) -> tuple[int, int]:
        """What a rename of the folder keeps."""
        return self.device, self.inode


@dataclass(frozen=True, slots=True)
class Tree:
    """The output as one look saw it. Paths are relative to the output, the output itself is the empty text.

    Attributes:
        folders: by path.
        former: by device and inode, the last path of each folder that went: it may come back under another.
        unread: folders that could not be listed now; what is known of them is old.
        is_remounted: whether a folder lies on another file system than at the last look.
        at_s: when it was listed, in seconds since 1970; 0 for what nobody has listed.
    """

    folders: Mapping[str, Folder]
    former: Mapping[tuple[int, int], str] = field(default_factory=dict)
    unread: frozenset[str] = frozenset()
    is_remounted: bool = False
    at_s: float = 0.0

    def listing(self, folder: str) -> Listing:
        """Return what lies in a folder; nothing if it does not exist."""
        found = self.folders.get(folder)
        return NOTHING if found is None else found.listing

    def changed(self, before: "Tree") -> list[str]:
        """Return the folders in which a name appeared or went, or that appeared or went themselves."""
        if self.folders is before.folders:
            return []
        return [
            path
            for path in {**before.folders, **self.folders}
            if self.listing(path) is not before.listing(path) and path not in self.unread
        ]

    def of_sizes(self, sizes: AbstractSet[int]) -> Iterator[tuple[str, str, File, float]]:
        """Yield folder, name, file and `since_s` of all files of these sizes; links count with any size."""
        for path, folder in self.folders.items():
            listing = folder.listing
            for position, name in listing.of_sizes(sizes):
                yield path, name, listing.file(position, name), listing.since_s[position]


EMPTY = Tree({})


def joined(folder: str, name: str) -> str:
    """Return the path of a name in a folder."""
    return f"{folder}/{name}" if folder else name


def parted(place: str) -> tuple[str, str]:
    """Return the folder and the name of a path."""
    folder, _, name = place.rpartition("/")
    return folder, name
