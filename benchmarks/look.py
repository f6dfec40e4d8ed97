"""What does a look for moved photos cost?

    python -m benchmarks.look

The photos lie in 10 and in 1,000 class folders, and in a ledger of the daemon's own. Each line is one look as the
daemon looks: list the output again, compare it with all rows, write what was found. `x` is its CPU time over that of a
plain `os.scandir` and `stat` of the same files, taken just before. The least of the rounds counts; what changes the
output for good has one round.
"""

import argparse
import os
import sqlite3
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from hashlib import sha256
from pathlib import Path

from benchmarks.common import finish, parser, tell, workplace
from benchmarks.told import Row, Told
from daemon.adopt import adopt
from daemon.files.identity import Identity
from daemon.labels.contents import OutputContents
from daemon.labels.looker import Looker
from daemon.labels.store.description import Description, describe
from daemon.ledger.intent import Intent
from daemon.ledger.ledger import Ledger
from daemon.ledger.state_folder import LEDGER
from daemon.photo import Outcome

PHOTOS = 100_000
FOLDERS = (10, 1_000)
MOVED = 1_000
TOGETHER = 1_000
START_S = 1_800_000_000.0
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
    rows: list[Row] = []
    for folders in FOLDERS:
        with workplace(arguments.work, "look") as place:
            tell(f"{arguments.photos} photos in {folders} folders")
            rows += _Output(place, arguments.photos, folders).looks(arguments.rounds)
    figure = {f"ms, {what}": max(row["CPU ms"] for row in rows if row["look"] == what) for what in WANTED}
    return Told(rows, figure, MEANING)


class _Output:
    """An output with the ledger of its photos, and the looks at it."""

    def __init__(self, place: Path, photos: int, folders: int) -> None:
        self._inbox, self._place = place / "in", place / "out"
        self._folders = [f"class {number:04}" for number in range(folders)]
        for folder in (self._inbox, *(self._place / name for name in self._folders)):
            folder.mkdir(parents=True)
        ledger = Ledger(place / "state" / LEDGER)
        adopt(ledger, "inbox", self._inbox)
        adopt(ledger, "output", self._place)
        for first in range(0, photos, TOGETHER):
            intents = [self._filed(number) for number in range(first, min(first + TOGETHER, photos))]
            ledger.conclude(dict.fromkeys(ledger.intend(intents, START_S), Outcome.FILED), START_S)
        with closing(sqlite3.connect(ledger.path, isolation_level=None)) as connection:
            describe(connection, Description("{label}/{name}", self._folders))
        ledger.close()
        self._looker = Looker(ledger.path, OutputContents(self._place))
        self._now_s = START_S

    def _filed(self, number: int) -> Intent:
        label, name = self._folders[number % len(self._folders)], _name(number)
        path = self._place / label / name
        with path.open("wb") as file:
            file.truncate(1_000_000 + number * 7919 % 3_000_000)
        return Intent(
            Outcome.FILED,
            self._inbox / name,
            path,
            Identity.of(path.stat()),
            sha256(name.encode()).hexdigest(),
            label=label,
            probability=0.9,
            model=64 * "0",
        )

    def looks(self, rounds: int) -> Iterable[Row]:
        """Yield a row for each kind of look."""
        yield self._row("the first", self._leave, 1)
        self._look()  # what was listed in the step of its last change is listed once more
        yield self._row(NOTHING, self._leave, rounds)
        yield self._row("another time on every folder", self._touch_all, rounds)
        yield self._row(ALL, self._add_to_all, rounds)
        yield self._row(f"{MOVED:,} photos moved", self._move, 1)

    def _row(self, what: str, change: Callable[[int], object], rounds: int) -> Row:
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
            "x": float(f"{best_ms / plain_ms:.2g}"),
        }

    def _plain(self) -> None:
        for folder in self._folders:
            with os.scandir(f"{self._place}/{folder}") as entries:
                for entry in entries:
                    entry.stat(follow_symlinks=False)

    def _look(self) -> None:
        self._now_s += 60.0
        looked = self._looker.look(self._now_s)
        assert looked is not None
        assert not looked.obstacle

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
            (self._place / left / _name(number)).rename(self._place / entered / _name(number))


def _name(number: int) -> str:
    return f"IMG_{number:07}.jpg"


def _cpu_ms(do: Callable[[], object]) -> float:
    start = time.process_time()
    do()
    return (time.process_time() - start) * 1e3


if __name__ == "__main__":
    main()
