"""What does a look for moved photos cost?

    python -m benchmarks.look

The photos lie in 10 and in 1,000 class folders. Each line is one look: list the output again, compare it with the rows
of all photos. `x` is its CPU time over that of a plain `os.scandir` and `stat` of the same files, taken just before.
The least of the rounds counts; what changes the output for good has one round.
"""

import argparse
import os
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.common import finish, parser, tell, workplace
from benchmarks.told import Row as Line
from benchmarks.told import Told
from daemon.filing.layout import Layout
from daemon.labels.class_folders import ClassFolders
from daemon.labels.findings import Findings
from daemon.labels.listed.lister import list_output
from daemon.labels.listed.listing import File, Listing
from daemon.labels.listed.tree import EMPTY, joined, parted
from daemon.labels.look import look
from daemon.labels.rows import Row, RowId, Sighting

PHOTOS = 100_000
FOLDERS = (10, 1_000)
MOVED = 1_000
FILED_S = 1_000.0
NOTHING, ALL = "nothing changed", "a new file in every folder"
WANTED = (NOTHING, ALL)
MEANING = "Wanted for 100,000 photos: at most 5 ms where nothing changed, and 500 ms where every folder did."


def main() -> None:
    options = parser("look", __doc__, "10,000 photos, one round")
    options.add_argument("--photos", type=int, default=PHOTOS)
    options.add_argument("--rounds", type=int, default=5)
    arguments = options.parse_args()
    if arguments.short:
        arguments.photos, arguments.rounds = min(arguments.photos, 10_000), 1
    finish("look", arguments, measured(arguments))


def measured(arguments: argparse.Namespace) -> Told:
    """One row for each kind of look, in few and in many folders."""
    lines: list[Line] = []
    for folders in FOLDERS:
        with workplace(arguments.work, "look") as place:
            tell(f"{arguments.photos} photos in {folders} folders")
            lines += _Output(place, arguments.photos, folders).looks(arguments.rounds)
    figure = {f"ms, {what}": max(line["CPU ms"] for line in lines if line["look"] == what) for what in WANTED}
    return Told(lines, figure, MEANING)


@dataclass
class _Known:
    """Rows by folder and name, in memory."""

    rows: dict[str, dict[str, Row]] = field(default_factory=lambda: defaultdict(dict))

    def row(self, row: RowId) -> Row | None:
        folder, name = parted(row[0])
        return self.rows[folder].get(name)

    def filed_since(self, at_s: float) -> Iterable[Row]:
        return (row for rows in self.rows.values() for row in rows.values()) if at_s < FILED_S else ()

    def at(self, folder: str, names: Collection[str]) -> list[Row]:
        return [row for name, row in self.rows[folder].items() if name in names]

    def names(self, folder: str) -> Iterable[str]:
        return self.rows[folder]

    def displaced(self, folder: str, listing: Listing) -> list[Row]:
        values = zip(listing.names(), listing.inodes, listing.sizes, listing.mtimes_ns, strict=True)
        there = {name: (inode, size, mtime_ns, "") for name, inode, size, mtime_ns in values}
        return [row for name, row in self.rows[folder].items() if there.get(name) != row.file]

    def gone(self, sizes: Collection[int]) -> list[Row]:
        return []

    def how_many(self, name: str) -> int:
        return len(self.rows[name])


class _Output:
    """An output, what is known of it, and the looks at it."""

    def __init__(self, place: Path, photos: int, folders: int) -> None:
        self._place, self._folders = place, [f"class {number:04}" for number in range(folders)]
        self._known = _Known()
        for folder in self._folders:
            (place / folder).mkdir()
        for number in range(photos):
            folder, name = self._folders[number % folders], f"IMG_{number:07}.jpg"
            path = f"{place}/{folder}/{name}"
            with open(path, "wb") as file:  # noqa: PTH123  # a Path for each takes longer
                file.truncate(1_000_000 + number * 7919 % 3_000_000)
            status = os.stat(path)  # noqa: PTH116
            file_ = File(status.st_ino, status.st_size, status.st_mtime_ns)
            row = Row((joined(folder, name), number), joined(folder, name), file_, folder, "", "", file_.size, FILED_S)
            self._known.rows[folder][name] = row
        self._classes = ClassFolders(Layout("{label}/{name}"), self._folders)
        self._before, self._now_s = EMPTY, FILED_S
        self._seen: Mapping[RowId, Sighting] = {}

    def looks(self, rounds: int) -> Iterable[Line]:
        """Yield a line for each kind of look."""
        yield self._line("the first", self._leave, 1)
        self._look()  # what was listed in the step of its last change is listed once more
        yield self._line(NOTHING, self._leave, rounds)
        yield self._line("another time on every folder", self._touch_all, rounds)
        yield self._line(ALL, self._add_to_all, rounds)
        yield self._line(f"{MOVED:,} photos moved", self._move, 1)

    def _line(self, what: str, change: Callable[[int], object], rounds: int) -> Line:
        plain_ms, best_ms = min(_cpu_ms(self._plain) for _ in range(rounds)), float("inf")
        for number in range(rounds):
            tell(f"{what}, round {number + 1} of {rounds}")
            change(number)
            best_ms = min(best_ms, _cpu_ms(self._look))
        return {
            "folders": len(self._folders),
            "look": what,
            "CPU ms": float(f"{best_ms:.3g}"),
            "plain ms": round(plain_ms),
            "x": round(best_ms / plain_ms, 2),
        }

    def _plain(self) -> None:
        for folder in self._folders:
            with os.scandir(f"{self._place}/{folder}") as entries:
                for entry in entries:
                    entry.stat(follow_symlinks=False)

    def _look(self) -> Findings:
        self._now_s += 60.0
        tree = list_output(self._place, self._before, self._now_s)
        found = look(self._known, self._before, tree, self._seen, self._classes, self, self._now_s)  # type: ignore[arg-type]
        self._before, self._seen = tree, found.sightings
        return found

    def _leave(self, _: int) -> None:
        pass

    def _touch_all(self, _: int) -> None:
        for folder in self._folders:
            os.utime(self._place / folder)

    def _add_to_all(self, number: int) -> None:
        for folder in self._folders:
            (self._place / folder / f"new {number}.jpg").write_bytes(b"x")

    def _move(self, _: int) -> None:
        for number in range(MOVED):
            left, entered = (self._folders[(number + more) % len(self._folders)] for more in (0, 1))
            name = f"IMG_{number:07}.jpg"
            (self._place / left / name).rename(self._place / entered / name)


def _cpu_ms(do: Callable[[], object]) -> float:
    start = time.process_time()
    do()
    return (time.process_time() - start) * 1e3


if __name__ == "__main__":
    main()
