"""Where photos would be filed, without touching anything: what dry runs share."""

import sqlite3
from contextlib import closing
from pathlib import Path

from common.text import printable
from daemon.filing.companions.waiting import Companions
from daemon.filing.filer import begin_filing
from daemon.filing.layout import FilingOptions, Layout
from daemon.filing.plan import Planner
from daemon.ledger.held_files import UNCHANGED
from daemon.ledger.ledger import Ledger
from daemon.ledger.reader import ask_ledger
from daemon.ledger.state_folder import LEDGER
from daemon.ledger.transaction import Transaction
from daemon.photo import DUPLICATES_FOLDER, Filing, Mode, Outcome, Photo
from daemon.process.clock import Clock


class _Paper(Planner):
    """A planner that makes no folders, and remembers which names it gave.

    Args:
        given: hashes of these names, which take a tenth of their memory.
    """

    def __init__(self, output: Path, ledger: Ledger, layout: Layout, given: set[int], *, set_aside: bool) -> None:
        super().__init__(output, ledger, layout, set_aside=set_aside, made=_nothing)
        self._given = given

    def _make(self, folder: Path) -> None:
        pass

    def _is_taken(self, name: str) -> bool:
        return hash(name) in self._given or super()._is_taken(name)


class Rehearsal:
    """Gives photos their places as if they were filed; used by one thread.

    Args:
        output: root of the class folders; need not exist.
        ledger: a copy of the record of filed photos.
        options: layout, and what happens to photos of equal content.
    """

    def __init__(self, output: Path, ledger: Ledger, options: FilingOptions) -> None:
        self._ledger = ledger
        self._companions = Companions()
        self._given: set[int] = set()
        self._planner = _Paper(output, ledger, options.layout, self._given, set_aside=options.set_aside)
        self._aside = _Paper(output, ledger, options.layout, self._given, set_aside=False)

    def plan(self, photos: list[Photo]) -> None:
        """Set the filing of each photo and companion, as if all that came before were filed."""
        for photo in photos:
            photo.filing = begin_filing(photo)
        for photo in self._ledger.unchanged(photos, Clock().monotonic_s(), Clock().wall_s()):
            photo.filing = Filing(Outcome.LEFT, reason=UNCHANGED, stays=True)
        for photo in photos:
            if photo.found.is_companion and not photo.filing.stays:
                self._companions.add(photo)
        leaving = [photo for photo in photos if photo.filing.folder and not photo.filing.stays]
        planned, later, obstacles = self._planner.plan(leaving, self._companions)
        for photo in leaving:
            if id(photo) in obstacles:
                photo.filing.outcome, photo.filing.reason = Outcome.AGAIN, obstacles[id(photo)][1]
        first = {photo.read.sha256: photo for photo in planned}
        for photo in later:
            photo.filing.outcome, photo.filing.folder = Outcome.DUPLICATE, DUPLICATES_FOLDER
            photo.filing.reason = f"the same photo as {printable(first[photo.read.sha256].path.name)}"
        self._keep(planned)
        if later:
            self._aside.plan(later, self._companions)
            self._keep(later)

    def _keep(self, planned: list[Photo]) -> None:
        for photo in planned:
            for one in (photo, *photo.filing.companions):
                if one.filing.destination is not None:
                    self._given.add(hash(str(one.filing.destination)))


def copied_ledger(state: Path, folder: Path, options: FilingOptions) -> Ledger:
    """Return a copy of the ledger. Photos that are moved need only its few rows of held files, not a million others.

    Args:
        state: folder of the ledger, which need not exist.
        folder: for the copy.
        options: how photos would be filed.
    """
    every = options.set_aside or options.mode is not Mode.MOVE
    copy = Ledger(folder / LEDGER)
    if (state / LEDGER).is_file():
        with closing(sqlite3.connect(copy.path, isolation_level=None)) as target:
            ask_ledger(state / LEDGER, lambda connection: _fill(target, connection, every))
    return copy


def _fill(target: sqlite3.Connection, connection: sqlite3.Connection, every: bool) -> None:
    if every:
        connection.backup(target)
        return
    with Transaction(target):
        target.execute("DELETE FROM photos")  # of an earlier try
        rows = connection.execute("SELECT * FROM photos WHERE held IS NOT NULL")
        names = [column[0] for column in rows.description]
        target.execute("DELETE FROM class_folders")
        folders = connection.execute("SELECT class, folder FROM class_folders").fetchall()
        target.executemany("INSERT INTO class_folders VALUES (?, ?)", [tuple(one) for one in folders])
        target.executemany(f"INSERT INTO photos ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})", rows)


def _nothing(_: Path) -> None:
    pass
