"""What lies in one folder of the output, in arrays: compact enough for a million files, and compared as a whole."""

from array import array
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import compress, repeat
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


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


@dataclass(frozen=True, slots=True, eq=False)
class Listing:
    """The files and folders of one folder; about 32 bytes a file beside its name.

    Attributes:
        joined: the names of the files, in the order of the file system, parted by the one character that no name holds.
        inodes: by position in `joined`, like the next ones.
        sizes: in bytes.
        mtimes_ns: times of the last change.
        since_s: when a look first saw that file there, in seconds since 1970.
        folders: names of the folders in it that are looked into, sorted.
        targets: of the symbolic links, by name.
    """

    joined: str
    inodes: "array[int]"
    sizes: "array[int]"
    mtimes_ns: "array[int]"
    since_s: "array[float]"
    folders: tuple[str, ...]
    targets: Mapping[str, str]

    def __len__(self) -> int:
        return len(self.sizes)

    def names(self) -> list[str]:
        """Return the names of the files, by position."""
        return self.joined.split("/") if self.sizes else []

    def positions(self) -> dict[str, int]:
        """Return the positions of the files by name."""
        return dict(zip(self.names(), range(len(self)), strict=True))

    def file(self, position: int, name: str) -> File:
        """Return the file at a position, which has that name."""
        target = self.targets.get(name, "")
        return File(self.inodes[position], self.sizes[position], self.mtimes_ns[position], target)

    def of_sizes(self, sizes: AbstractSet[int]) -> Iterator[tuple[int, str]]:
        """Yield position and name of the files of these sizes; links count with any size."""
        if not self.targets and sizes.isdisjoint(self.sizes):
            return
        for position, (name, size) in enumerate(zip(self.names(), self.sizes, strict=True)):
            if size in sizes or name in self.targets:
                yield position, name

    def is_same(self, other: "Listing") -> bool:
        """Tell whether files and folders are the same in both, whenever they were seen first."""
        return (
            (self.joined, self.inodes, self.sizes, self.mtimes_ns, self.folders, self.targets)
            == (other.joined, other.inodes, other.sizes, other.mtimes_ns, other.folders, other.targets)
        )  # fmt: skip


NOTHING = Listing("", array("Q"), array("q"), array("q"), array("d"), (), {})


def positions_before(before: Listing, now: Listing) -> "NDArray[np.int64]":
    """Return, for each file of `now`, the position of its name in `before`; -1 where that has no such name."""
    if before.joined == now.joined:
        return np.arange(len(now))
    found = list(map(before.positions().get, now.names(), repeat(-1)))
    return np.array(found, np.int64)


def keep_times(before: Listing, now: Listing) -> None:
    """Give the files that lay there before, and are not other ones of the same name, their `since_s`."""
    old = positions_before(before, now)
    stays = old >= 0
    stays[stays] = np.asarray(before.inodes)[old[stays]] == np.asarray(now.inodes)[stays]
    if links := {name for name, _ in before.targets.items() ^ now.targets.items()}:
        stays[[position for name, position in now.positions().items() if name in links]] = False
    np.asarray(now.since_s)[stays] = np.asarray(before.since_s)[old[stays]]


class Differences(NamedTuple):
    """The files that came, went, or are not the same.

    Attributes:
        names: of all of them.
        sizes: that they have or had; what links name does not count.
    """

    names: set[str]
    sizes: set[int]


def differences(before: Listing, now: Listing) -> Differences:
    """Compare two listings of one folder."""
    old = positions_before(before, now)
    stays = old >= 0
    for was, its in ((before.inodes, now.inodes), (before.sizes, now.sizes), (before.mtimes_ns, now.mtimes_ns)):
        stays[stays] = np.asarray(was)[old[stays]] == np.asarray(its)[stays]
    went = np.ones(len(before), np.bool_)
    went[old[stays]] = False
    found = Differences({name for name, _ in before.targets.items() ^ now.targets.items()}, set())
    for listing, where in ((before, went), (now, ~stays)):
        found.names.update(compress(listing.names(), where.tolist()))
        found.sizes.update(np.asarray(listing.sizes)[where].tolist())
    return found
