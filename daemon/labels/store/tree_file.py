"""What the last look saw, as a file beside the ledger: a cache. Without it the next look is the base line.

A header of one line, JSON: for each folder its path, its numbers and how many bytes each of its parts has. Then the
parts, one after the other.
"""

import json
import os
from array import array
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, NamedTuple

from daemon.labels.listed.listing import Listing
from daemon.labels.listed.tree import Folder, Tree

TREE = "seen"
"""Name of the file beside the ledger."""
_VERSION = 1


class Seen(NamedTuple):
    """What the last look saw.

    Attributes:
        number: of the look.
        marker: id of the output then.
        tree: of the output.
    """

    number: int
    marker: str
    tree: Tree


def save(state: Path, seen: Seen) -> None:
    """Write the file, or nothing of it.

    Raises:
        OSError: it cannot be written.
    """
    tree = seen.tree
    folders, parts = list[list[Any]](), list[bytes]()
    for path, folder in tree.folders.items():
        listing = folder.listing
        names = os.fsencode(listing.joined)
        folders.append([
            path, folder.device, folder.inode, folder.mtime_ns, folder.is_settled, len(listing), len(names),
            listing.folders, listing.targets,
        ])  # fmt: skip
        columns = (listing.inodes, listing.sizes, listing.mtimes_ns, listing.since_s)
        parts += [names, *(column.tobytes() for column in columns)]
    header = {
        "version": _VERSION, "number": seen.number, "marker": seen.marker, "at": tree.at_s, "folders": folders,
        "former": [[*key, path] for key, path in tree.former.items()], "unread": sorted(tree.unread),
    }  # fmt: skip
    part = state / f".{TREE}.part"
    part.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(json.dumps(header).encode("ascii") + b"\n")
            for data in parts:
                file.write(data)
        part.replace(state / TREE)
    except OSError:
        part.unlink(missing_ok=True)  # a full disk needs the room
        raise


def load(state: Path) -> Seen | None:
    """Read the file; None if there is none that can be used."""
    with suppress(OSError, ValueError, KeyError, TypeError), (state / TREE).open("rb") as file:
        header = json.loads(file.readline())
        if header["version"] != _VERSION:
            return None
        folders = {}
        for path, device, inode, mtime_ns, is_settled, count, length, inner, targets in header["folders"]:
            names, columns = _part(file, length), [_part(file, 8 * count) for _ in range(4)]
            listing = _listing(names, columns, inner, targets)
            folders[path] = Folder(device, inode, mtime_ns, listing, is_settled)
        former = {(device, inode): path for device, inode, path in header["former"]}
        tree = Tree(folders, former, frozenset(header["unread"]), at_s=header["at"])
        return Seen(header["number"], header["marker"], tree)
    return None


def _part(file: IO[bytes], length: int) -> bytes:
    data = file.read(length)
    if len(data) < length:
        raise ValueError("cut off")
    return data


def _listing(names: bytes, columns: list[bytes], folders: list[str], targets: dict[str, str]) -> Listing:
    inodes, sizes, mtimes_ns, since_s = columns
    return Listing(
        os.fsdecode(names),
        array("Q", inodes),
        array("q", sizes),
        array("q", mtimes_ns),
        array("d", since_s),
        tuple(folders),
        targets,
    )
