"""A filed output whose photos people and programs move, in memory or on disk, and a ledger in memory beside it."""

import hashlib
import os
import shutil
import unicodedata
from array import array
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from daemon.filing.layout import Layout
from daemon.labels.class_folders import ClassFolders
from daemon.labels.findings import Findings, Label, Noted, TakenBack
from daemon.labels.listed.folder_reader import is_taken
from daemon.labels.listed.lister import is_entered, list_output
from daemon.labels.listed.listing import File, Listing
from daemon.labels.listed.tree import EMPTY, Folder, Tree, joined, parted
from daemon.labels.look import look
from daemon.labels.rows import Row, RowId, Sighting

CLASSES = ("sea", "forest", "street", "caf\u00e9")
FIRST_S = 1_000_000.0


class Ledger:
    """Rows of filed photos; takes what a look found."""

    def __init__(self) -> None:
        self.by_id: dict[RowId, Row] = {}
        self.seen: set[RowId] = set()

    def rows(self, rows: Collection[RowId]) -> Sequence[Row]:
        return [self.by_id[row] for row in rows if row in self.by_id]

    def newly_filed(self) -> list[Row]:
        return [row for row in self.by_id.values() if row.id not in self.seen]

    def at(self, folder: str, names: Collection[str]) -> list[Row]:
        return [row for row in self._in(folder) if parted(row.place)[1] in names]

    def displaced(self, folder: str, listing: Listing) -> list[Row]:
        files = files_in(listing)
        there = ((row, files.get(parted(row.place)[1])) for row in self._in(folder))
        return [row for row, file in there if file is None or not row.is_exactly(file)]

    def _in(self, folder: str) -> list[Row]:
        return [row for row in self.by_id.values() if not row.is_gone and parted(row.place)[0] == folder]

    def gone(self, sizes: Collection[int]) -> Sequence[Row]:
        return [
            row
            for row in self.by_id.values()
            if row.is_gone and (row.file.target or row.file.size in sizes or row.filed_size in sizes)
        ]

    def how_many(self, name: str) -> int:
        return sum(not row.is_gone and row.place.startswith(f"{name}/") for row in self.by_id.values())

    def take(self, found: Findings) -> None:
        self.seen |= self.by_id.keys()
        for row in found.gone:
            self.by_id[row] = self.by_id[row]._replace(is_gone=True)
        places: list[Noted | TakenBack | Label] = [*found.noted, *found.taken_back, *found.labels]
        for one in places:
            self.by_id[one.row] = self.by_id[one.row]._replace(place=one.place, file=one.file, is_gone=False)
        for back in found.taken_back:
            self.by_id[back.row] = self.by_id[back.row]._replace(said="")
        for label in found.labels:
            self.by_id[label.row] = self.by_id[label.row]._replace(said=label.name)


class Disk:
    """The output on a real file system, listed by the real lister. Paths are relative to it."""

    def __init__(self, folder: Path) -> None:
        self.root, self.outside = folder / "sorted", folder / "outside"
        self.root.mkdir()
        self.outside.mkdir()
        (self.root / ".phototriage").write_bytes(b'{"id": "1"}')

    def write(self, place: str, content: bytes) -> None:
        """Make a new file in the place, over another if there is one."""
        self._made(place)
        (self.root / ".new").write_bytes(content)
        (self.root / ".new").replace(self.root / place)

    def edit(self, place: str, content: bytes) -> None:
        (self.root / place).write_bytes(content)

    def read(self, place: str) -> bytes:
        return (self.root / place).read_bytes()

    def file(self, place: str) -> File:
        status = (self.root / place).lstat()
        return File(status.st_ino, status.st_size, status.st_mtime_ns)

    def move(self, place: str, other: str) -> None:
        self._made(other)
        (self.root / place).rename(self.root / other)

    def copy(self, place: str, other: str) -> None:
        self._made(other)
        shutil.copy2(self.root / place, self.root / ".new")
        (self.root / ".new").replace(self.root / other)

    def link(self, place: str, other: str) -> None:
        self._made(other)
        (self.root / other).unlink(missing_ok=True)
        os.link(self.root / place, self.root / other)

    def delete(self, place: str) -> None:
        (self.root / place).unlink()

    def take_out(self, place: str) -> None:
        (self.root / place).rename(self.outside / place.replace("/", "%"))

    def put_in(self, taken: str, other: str) -> None:
        self._made(other)
        (self.outside / taken.replace("/", "%")).rename(self.root / other)

    def make_folder(self, folder: str) -> None:
        (self.root / folder).mkdir(parents=True, exist_ok=True)

    def move_folder(self, folder: str, other: str) -> None:
        self._made(other)
        (self.root / folder).rename(self.root / other)

    def tree(self, before: Tree, now_s: float) -> Tree:
        return list_output(self.root, before, now_s)

    def _made(self, place: str) -> None:
        (self.root / place).parent.mkdir(parents=True, exist_ok=True)


class Memory:
    """The same in memory: quick, and inode numbers are never given twice."""

    def __init__(self) -> None:
        self.numbers = count(1)
        self.files: dict[str, tuple[File, bytes]] = {}
        self.folders: dict[str, int] = {"": 0}
        self.changes: dict[str, int] = {"": 0}
        self.out: dict[str, tuple[File, bytes]] = {}
        self._listed: dict[str, int] = {}

    def write(self, place: str, content: bytes) -> None:
        self._put(place, (File(next(self.numbers), len(content), next(self.numbers)), content))

    def edit(self, place: str, content: bytes) -> None:
        inode = self.files[place][0].inode
        new = File(inode, len(content), next(self.numbers)), content
        self.files |= {other: new for other, (file, _) in self.files.items() if file.inode == inode}

    def read(self, place: str) -> bytes:
        return self.files[place][1]

    def file(self, place: str) -> File:
        return self.files[place][0]

    def move(self, place: str, other: str) -> None:
        if self.files[place][0] != self.files.get(other, (None,))[0]:  # rename(2) leaves two names of one file alone
            self._put(other, self._take(place))

    def copy(self, place: str, other: str) -> None:
        file, content = self.files[place]
        self._put(other, (file._replace(inode=next(self.numbers)), content))

    def link(self, place: str, other: str) -> None:
        self._put(other, self.files[place])

    def delete(self, place: str) -> None:
        self._take(place)

    def take_out(self, place: str) -> None:
        self.out[place] = self._take(place)

    def put_in(self, taken: str, other: str) -> None:
        self._put(other, self.out.pop(taken))

    def make_folder(self, folder: str) -> None:
        if folder not in self.folders:
            above = parted(folder)[0]
            self.make_folder(above)
            self.folders[folder] = next(self.numbers)
            self.changes[folder], self.changes[above] = next(self.numbers), next(self.numbers)

    def move_folder(self, folder: str, other: str) -> None:
        self.make_folder(parted(other)[0])
        for kept in (self.files, self.folders, self.changes):
            self._renamed(kept, folder, other)
        for above in (parted(folder)[0], parted(other)[0]):
            self.changes[above] = next(self.numbers)

    def tree(self, before: Tree, now_s: float) -> Tree:
        found: dict[str, Folder] = {}
        for path, inode in self.folders.items():
            if path and not all(map(is_entered, path.split("/"))):
                continue
            old = before.folders.get(path)
            if old is not None and (old.inode, old.mtime_ns) == (inode, self.changes[path]):
                found[path] = old
                continue
            there = [(parted(place), file) for place, (file, _) in self.files.items()]
            files = {name: file for (folder, name), file in there if folder == path and is_taken(name)}
            known = before.listing(path)
            was, since = files_in(known), since_in(known)
            since = {
                name: since[name] if name in was and was[name].inode == file.inode else now_s
                for name, file in files.items()
            }
            if before is EMPTY:
                since = dict.fromkeys(files, 0.0)
            inner = [name for folder, name in map(parted, self.folders) if folder == path and name and is_entered(name)]
            new = listing_of(files, inner, since)
            same = files == was and new.folders == known.folders and old is not None
            found[path] = Folder(1, inode, self.changes[path], known if same else new, is_settled=True)
        keys = {folder.key for folder in found.values()}
        former = {**before.former, **{folder.key: path for path, folder in before.folders.items()}}
        return Tree(found, {key: path for key, path in former.items() if key not in keys}, at_s=now_s)

    def _put(self, place: str, what: tuple[File, bytes]) -> None:
        self.make_folder(parted(place)[0])
        self.files[place] = what
        self.changes[parted(place)[0]] = next(self.numbers)

    def _take(self, place: str) -> tuple[File, bytes]:
        self.changes[parted(place)[0]] = next(self.numbers)
        return self.files.pop(place)

    @staticmethod
    def _renamed(kept: dict[str, Any], folder: str, other: str) -> None:
        for path in [path for path in kept if path == folder or path.startswith(f"{folder}/")]:
            kept[other + path[len(folder) :]] = kept.pop(path)


class Output:
    """An output with its ledger, and the looks at it.

    Attributes:
        known: the rows.
        before: what the last look saw.
    """

    def __init__(self, disk: "Disk | Memory", layout: str = "{label}/{relpath}/{name}") -> None:
        self.disk, self.known = disk, Ledger()
        self.folders = ClassFolders(Layout(layout), CLASSES)
        self.before, self.now_s = EMPTY, FIRST_S
        self.sightings: dict[RowId, Sighting] = {}
        self.hashed: list[str] = []
        self.has_no_model = False
        self._numbers = count(1)
        self.look()

    def file(self, place: str, content: bytes = b"", *, is_copy: bool = False) -> RowId:
        """File a photo as the daemon does; its content is unlike all others unless it is given."""
        number = next(self._numbers)
        content = content or photo(number)
        self.disk.write(place, content)
        file = File(0, len(content), 1) if is_copy else self.disk.file(place)
        row, said = ("inbox", number), place.split("/", maxsplit=1)[0]
        sha256 = hashlib.sha256(content).hexdigest()
        self.known.by_id[row] = Row(row, place, file, said, "", sha256, len(content), self.now_s + 0.5)
        return row

    def look(self, after_s: float = 60.0, *, was_interrupted: bool = False) -> Findings:
        """Look at the output so much later than the last time, and store what was found."""
        self.now_s += after_s
        tree = self.disk.tree(self.before, self.now_s)
        found = look(
            self.known, self.before, tree, self.sightings, self.folders, self, self.now_s,
            was_interrupted=was_interrupted,
        )  # fmt: skip
        self.known.take(found)
        self.before, self.sightings = tree, dict(found.sightings)
        return found

    def looks(self, number: int = 2) -> Findings:
        """Look several times and return all that was found."""
        whole = Findings()
        for _ in range(number):
            found = self.look()
            for name in ("labels", "taken_back", "noted", "gone", "questions"):
                getattr(whole, name).extend(getattr(found, name))
        return whole

    def sha256(self, place: str) -> str:
        self.hashed.append(place)
        return hashlib.sha256(self.disk.read(place)).hexdigest()

    def resembles(self, row: RowId, place: str) -> bool:
        return origin(self.disk.read(place)) == row[1]

    def is_another(self, row: RowId, place: str) -> bool | None:
        return None if self.has_no_model else not self.resembles(row, place)


def photo(number: int, edited: int = 0) -> bytes:
    """Return a photo's bytes: few sizes, so that many photos have equal ones; an edit has a size of its own."""
    return f"photo {number} edit {edited}".encode().ljust(40 + number % 3 + 10 * edited, b".")


def origin(content: bytes) -> int:
    """Return the number of the photo that this is, edited or not."""
    return int(content.split()[1])


def listing_of(files: Mapping[str, File], folders: Iterable[str], since_s: Mapping[str, float]) -> Listing:
    """Return the listing of these files, by name."""
    return Listing(
        "/".join(files),
        array("Q", (file.inode for file in files.values())),
        array("q", (file.size for file in files.values())),
        array("q", (file.mtime_ns for file in files.values())),
        array("d", map(since_s.__getitem__, files)),
        tuple(sorted(folders)),
        {name: file.target for name, file in files.items() if file.target},
    )


def files_in(listing: Listing) -> dict[str, File]:
    """Return the files of a listing by name."""
    return {name: listing.file(position, name) for position, name in enumerate(listing.names())}


def since_in(listing: Listing) -> dict[str, float]:
    """Return when each file of a listing was first seen there, by name."""
    return dict(zip(listing.names(), listing.since_s, strict=True))


def place_in(folder: str, place: str) -> str:
    """Return the path of a file moved to another folder."""
    return joined(folder, parted(place)[1])


def told(place: str) -> tuple[str, bool]:
    """The class that a place names, or the `_` folder, under the default layout."""
    *folders, _ = place.split("/")
    if not folders:
        return "", False
    first = unicodedata.normalize("NFC", folders[0]).casefold()
    if first.startswith("_"):
        return first, False
    return ("", False) if any(one.startswith("_") for one in folders) else (first, True)
