"""Random doings of people, backup, duplicate and sync programs: a look says what the table says, and nothing else.

The oracle knows the table alone. It compares every file with every row, by their whole content, at every look; it knows
nothing of folders that did not change, of sizes, or of hashes.
"""

import os
import tempfile
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.labels.listed.listing import File
from daemon.labels.listed.tree import Tree, parted
from daemon.labels.looker import Looker
from daemon.labels.rows import Row, RowId
from daemon.labels.store.apply import sightings_in
from daemon.labels.store.place_columns import place_in as place_in_ledger
from tests.daemon.doings import DOINGS, Doings
from tests.daemon.filed_output import FiledOutput
from tests.daemon.moved import CLASSES, Disk, Memory, Output, files_in, origin, photo, since_in, told
from tests.daemon.support import QUICK

FOLDERS = (
    "sea",
    "forest",
    "street",
    "sea/trip",
    "forest/trip",
    "Sea",
    "dogs",
    "Dogs",
    "_review",
    "_mine",
    ".trash",
    "@eaDir",
    "",
)
NAMES = ("a.jpg", "b.jpg", "c.jpg", ".c.jpg", "a.jpg.part")


@dataclass
class Seen:
    """Where the oracle saw a photo away from its place."""

    place: str
    file: File
    at_s: float
    content: bytes
    asked: bool = False


@dataclass
class Oracle:
    """The table in plain words; keeps its own book, beside that of the ledger.

    What is gone is looked for again when something changed.
    """

    output: Output
    seen: dict[RowId, Seen] = field(default_factory=dict)
    former: dict[tuple[int, int], str] = field(default_factory=dict)
    paths: dict[str, tuple[int, int]] = field(default_factory=dict)

    def expects(self, tree: Tree, rows: dict[RowId, Row], now_s: float, interrupted: bool) -> "set[tuple[str, object]]":
        """What a look at this tree has to say, beside notes: labels, labels taken back, rows that are asked about."""
        self._read(tree)
        is_quiet = not tree.changed(self.output.before)
        looked_for = [row for row in rows.values() if not (is_quiet and row.is_gone and row.id not in self.seen)]
        found = {row.id: place for row in looked_for if (place := self._place_of(row, rows, now_s))}
        saying = {}
        for row, place in found.items():
            what = self._says(rows[row], place)
            if what is not None and self.since[place] != 0.0:
                before = self.seen.get(row)
                same = before is not None and (before.place, before.file) == (place, self.files[place])
                saying[row] = before if same and before is not None else self._sight(place, now_s)
        self.seen = saying
        answer: set[tuple[str, object]] = set()
        for row in self._asked(rows, interrupted):
            saying[row].asked = True
            answer.add(("asked", row))
        for row, sight in list(saying.items()):
            if not sight.asked and now_s - sight.at_s >= 30:
                if sight.file.size == rows[row].filed_size or origin(self._content(sight.place)) == row[1]:
                    answer.add((self._says(rows[row], sight.place) or "", row))
                del saying[row]
        self._remember(tree)
        return answer

    def _read(self, tree: Tree) -> None:
        self.files: dict[str, File] = {}
        self.since: dict[str, float] = {}
        for path, folder in tree.folders.items():
            since = since_in(folder.listing)
            for name, file in files_in(folder.listing).items():
                place = f"{path}/{name}" if path else name
                self.files[place], self.since[place] = file, since[name]
        self.inodes = {folder.key: path for path, folder in tree.folders.items()}

    def _sight(self, place: str, now_s: float) -> Seen:
        return Seen(place, self.files[place], now_s, self._content(place))

    def _content(self, place: str) -> bytes:
        """Read a file; what was edited where an earlier look read it, in a folder without a change, is as it was."""
        known = (one.content for one in self.seen.values() if (one.place, one.file) == (place, self.files[place]))
        return next(known, None) or self.output.disk.read(place)

    def _away(self, rows: dict[RowId, Row]) -> list[Row]:
        """Rows without their file in their place: nothing lies there, or what belongs to another row of these."""
        wrong = [row for row in rows.values() if self.files.get(row.place) != row.file]
        away = [row for row in wrong if row.is_gone or row.place not in self.files]
        odd = [row for row in wrong if row not in away]
        lost = [
            row
            for row in odd
            if any(self.files[row.place] == other.file for other in rows.values())
            or any(other.place == row.place and (other.filed_s, other.id) > (row.filed_s, row.id) for other in odd)
            or self._is_still_seen(row)
        ]
        seeking = {
            *away, *lost, *(row for row in odd if self.files[row.place].size != row.filed_size and not row.is_gone),
        }  # fmt: skip
        for row in odd:
            here = self.files[row.place]
            if row not in lost and here.inode != row.file.inode:
                content = self._content(row.place)
                if any(content == photo(other.id[1]) for other in seeking if other.id != row.id):
                    lost.append(row)
        return [*away, *lost]

    def _is_still_seen(self, row: Row) -> bool:
        seen = self.seen.get(row.id)
        return seen is not None and self.files.get(seen.place) == seen.file

    def _place_of(self, row: Row, rows: dict[RowId, Row], now_s: float) -> str:
        away = self._away(rows)
        if row not in away:
            return ""
        held = {other.place for other in rows.values() if other not in away and not other.is_gone}
        free = [place for place in self.files if place not in held]
        exact = [place for place in free if self.files[place] == row.file]
        if exact:
            return self._shared([other for other in away if other.file == row.file], sorted(exact)).get(row.id, "")
        others = [other.file for other in away if other.id != row.id]
        claimed = [place for place in free if self.files[place] in others and self._is_single(self.files[place], free)]
        free = [place for place in free if place not in claimed]
        same = [
            place for place in free if self._content(place) == photo(row.id[1]) and self.since[place] > row.filed_s
        ]  # fmt: skip
        if same:
            return same[0] if len(same) == 1 else ""
        name, before = parted(row.place)[1], self.seen.get(row.id)
        contents = {photo(other.id[1]) for other in away}
        edited = [
            place
            for place in free
            if parted(place)[1] == name
            and not (self._content(place) in contents and self.since[place] > 0 and self._is_awaited(place, away))
            and (
                (before is not None and (before.place, before.file) == (place, self.files[place]))
                or (not row.is_gone and self.since[place] == now_s and origin(self._content(place)) == row.id[1])
            )
        ]
        return edited[0] if len(edited) == 1 else ""

    @staticmethod
    def _shared(rows: list[Row], places: list[str]) -> dict[RowId, str]:
        """One file answers for one row; links to one file that lie over several photos go to equal names first."""
        answers: dict[RowId, str] = {}
        if len(places) > len(rows):
            return answers
        for same_name in (True, False):
            for row in sorted(rows, key=lambda row: row.id):
                fits = [one for one in places if not same_name or parted(one)[1] == parted(row.place)[1]]
                fits = [one for one in fits if one not in answers.values()]
                if fits and row.id not in answers:
                    answers[row.id] = fits[0]
        return answers

    def _is_single(self, file: File, free: list[str]) -> bool:
        return sum(self.files[place] == file for place in free) == 1

    def _is_awaited(self, place: str, away: list[Row]) -> bool:
        return any(self._content(place) == photo(row.id[1]) and self.since[place] > row.filed_s for row in away)

    @staticmethod
    def _says(row: Row, place: str) -> str | None:
        (left, _), (entered, is_class) = told(row.place), told(place)
        if entered in (left, row.said or row.filed_as):
            return None
        if entered == row.filed_as:
            return "back" if row.said else None
        return entered if is_class else None

    def _asked(self, rows: dict[RowId, Row], interrupted: bool) -> set[RowId]:
        open_ones = {row for row, sight in self.seen.items() if not sight.asked}
        if interrupted:
            return open_ones
        moved = {row for row in open_ones if self._came_with_folder(rows[row].place, self.seen[row].place)}
        asked = set(moved)
        for left in {told(rows[row].place)[0] for row in open_ones} - {"_review"}:
            of_class = {
                row for row in open_ones - moved
                if told(rows[row].place)[0] == left and self._says(rows[row], self.seen[row].place) != "back"
            }  # fmt: skip
            if len(of_class) > 50 and len(of_class) > 0.05 * self.output.known.how_many(left):
                asked |= of_class
        return asked

    def _came_with_folder(self, place: str, other: str) -> bool:
        folder = parted(place)[0]
        while folder:
            key = self.paths.get(folder)
            path = self.inodes.get(key) if key is not None else None
            if path is not None and path != folder and other == path + place[len(folder) :]:
                return True
            folder = parted(folder)[0]
        return False

    def _remember(self, tree: Tree) -> None:
        self.former |= {folder.key: path for path, folder in tree.folders.items()}
        self.paths = {path: key for key, path in self.former.items() if key not in self.inodes}
        self.paths |= {path: key for key, path in self.inodes.items()}


class Simulator(Doings):
    """Does random things in an output, and compares every look with the oracle."""

    def __init__(self, disk: "Disk | Memory") -> None:
        super().__init__(disk)
        self.oracle = Oracle(self.output)
        self.oracle.paths = {"": next(iter(self.output.before.folders.values())).key}

    def interrupt(self, *_: str) -> None:
        self.look(interrupted=True)

    def look_soon(self, *_: str) -> None:
        self.look(after_s=10.0)

    def look(self, *_: str, after_s: float = 60.0, interrupted: bool = False) -> None:
        rows = dict(self.output.known.by_id)
        now_s = self.output.now_s + after_s
        tree = self.disk.tree(self.output.before, now_s)
        expected = self.oracle.expects(tree, rows, now_s, interrupted)
        found = self.output.look(after_s, was_interrupted=interrupted)
        answer: set[tuple[str, object]] = {(label.name.casefold(), label.row) for label in found.labels}
        answer |= {("back", back.row) for back in found.taken_back}
        answer |= {("asked", row) for question in found.questions for row in question.rows}
        assert answer == expected
        assert set(found.sightings) == set(self.oracle.seen)


STEP = st.tuples(st.sampled_from(DOINGS), st.integers(0, 70), st.sampled_from(FOLDERS), st.sampled_from(NAMES))
STEPS = st.lists(STEP, min_size=15, max_size=40)


def played(disk: "Disk | Memory", steps: list[tuple[str, int, str, str]]) -> None:
    simulator = Simulator(disk)
    for step in steps:
        simulator.do(*step)
    for _ in range(3):
        simulator.look()


@settings(QUICK, max_examples=80, derandomize=True)
@given(STEPS)
def test_a_look_says_what_the_table_says(steps: list[tuple[str, int, str, str]]) -> None:
    played(Memory(), steps)


@pytest.mark.skipif(
    "PHOTOTRIAGE_LONG_TESTS" not in os.environ, reason="a long search: PHOTOTRIAGE_LONG_TESTS=1 runs it"
)
@settings(QUICK, max_examples=10_000)
@given(STEPS)
def test_a_look_says_what_the_table_says_for_long(steps: list[tuple[str, int, str, str]]) -> None:
    played(Memory(), steps)


@settings(QUICK, max_examples=10, derandomize=True)
@given(STEPS)
def test_a_look_at_a_real_file_system_says_what_the_table_says(steps: list[tuple[str, int, str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        played(Disk(Path(folder)), steps)


class Twin(Simulator):
    """Looks with the ledger of the daemon too, which has to know the same afterwards as the rows in memory."""

    def __init__(self, folder: Path) -> None:
        super().__init__(Disk(folder))
        self.filed = FiledOutput(folder, CLASSES)
        self.filed.looker = Looker(self.filed.ledger.path, self.output)
        self.filed.looker.look(self.output.now_s)

    def file(self, _: str, other: str) -> None:
        count = len(self.output.known.by_id)
        super().file("", other)
        for row in list(self.output.known.by_id.values())[count:]:
            self.filed.now_s = row.filed_s
            assert self.filed.record(row.place) == row.id[1]

    def look(self, *_: str, after_s: float = 60.0, interrupted: bool = False) -> None:
        super().look(after_s=after_s, interrupted=interrupted)
        with closing(self.filed.connection()) as connection:
            if interrupted:
                connection.execute("UPDATE look SET was_interrupted = 1")
            self.filed.looker.look(self.output.now_s)
            columns = "SELECT photo, folder, name, inode, size, said, is_gone FROM places"
            rows = {
                photo: (place_in_ledger(folder, name), *file, said, bool(is_gone))
                for photo, folder, name, *file, said, is_gone in connection.execute(columns)
            }
            seen = {photo for (_, photo) in sightings_in(connection, "")}
        assert rows == {
            row.id[1]: (row.place, row.file.inode, row.file.size, row.said, row.is_gone)
            for row in self.output.known.by_id.values()
        }
        assert seen == {photo for _, photo in self.output.sightings}


@settings(QUICK, max_examples=5, derandomize=True)
@given(st.lists(STEP, min_size=25, max_size=40))
def test_a_look_with_the_ledger_knows_the_same_as_one_in_memory(steps: list[tuple[str, int, str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        twin = Twin(Path(folder))
        for step in steps:
            if step[0] not in ("file a copy", "undo", "refile", "many"):
                twin.do(*step)
        for _ in range(3):
            twin.look()
        twin.filed.ledger.close()
