"""Values of one listing of the output: which folders and files lie there, compact enough for a million files."""

from array import array
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import NamedTuple

BASE_LINE_S = 0.0
"""`since_s` of what lay in the output at the first look: nobody knows who put it there, so it teaches nothing."""


class File(NamedTuple):
    """What identifies a file of the output.

    Attributes:
        inode: its number; a rename keeps it.
        size: in bytes.
        mtime_ns: time of its last change; a rename keeps it, and so do most copies.
        target: what a symbolic link names; empty for a regular file.
    """

    inode: int
    size: int
    mtime_ns: int
    target: str = ""


class Listing:
    """The files and folders of one folder; about 32 bytes a file beside its name.

    Args:
        files: by name.
        folders: names of the folders in it that are looked into.
        since_s: by name, when a look first saw that file there, in seconds since 1970.
    """

    __slots__ = ("_inodes", "_names", "_since", "_times", "folders", "sizes", "targets")

    def __init__(self, files: Mapping[str, File], folders: Iterable[str], since_s: Mapping[str, float]) -> None:
        names = sorted(files)
        self.folders = tuple(sorted(folders))
        self.targets = {name: file.target for name, file in files.items() if file.target} or None
        self._names = "/".join(names)  # the one character that no name holds
        self._inodes = array("Q", (files[name].inode for name in names))
        self.sizes = array("q", (files[name].size for name in names))
        self._times = array("q", (files[name].mtime_ns for name in names))
        self._since = array("d", (since_s[name] for name in names))

    def __len__(self) -> int:
        return len(self.sizes)

    def names(self) -> list[str]:
        """Return the names of the files, sorted."""
        return self._names.split("/") if self.sizes else []

    def files(self) -> dict[str, File]:
        """Return the files by name."""
        targets = self.targets or {}
        rows = zip(self.names(), self._inodes, self.sizes, self._times, strict=True)
        return {name: File(inode, size, time, targets.get(name, "")) for name, inode, size, time in rows}

    def since(self) -> dict[str, float]:
        """Return when each file was first seen there, by name."""
        return dict(zip(self.names(), self._since, strict=True))


NOTHING = Listing({}, (), {})


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
        return [
            path
            for path in {**before.folders, **self.folders}
            if self.listing(path) is not before.listing(path) and path not in self.unread
        ]

    def of_sizes(self, sizes: AbstractSet[int]) -> Iterator[tuple[str, str, File, float]]:
        """Yield folder, name, file and `since_s` of all files of these sizes; links count with any size."""
        for path, folder in self.folders.items():
            listing = folder.listing
            if listing.targets or any(size in sizes for size in listing.sizes):
                since = listing.since()
                for name, file in listing.files().items():
                    if file.target or file.size in sizes:
                        yield path, name, file, since[name]


EMPTY = Tree({})


def joined(folder: str, name: str) -> str:
    """Return the path of a name in a folder."""
    return f"{folder}/{name}" if folder else name


def parted(place: str) -> tuple[str, str]:
    """Return the folder and the name of a path."""
    folder, _, name = place.rpartition("/")
    return folder, name
