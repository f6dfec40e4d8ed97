"""Questions read a ledger in place, page by page, and never get a mixture of two states."""

import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from itertools import islice
from pathlib import Path

import pytest

from daemon.ledger import reader as reader_module
from daemon.ledger import schema
from daemon.ledger.ledger import Ledger, LedgerError
from daemon.ledger.queries import RECORDS, RecordFilter
from daemon.ledger.reader import PAGE, ask_ledger, reader, records
from daemon.ledger.reading import find_ledgers
from daemon.ledger.schema import MIGRATIONS
from daemon.photo import Outcome
from tests.daemon.conftest import Stranger
from tests.daemon.support import identity, intent, opened_ledger


def filed(path: Path, count: int, name: str = "a") -> None:
    """Open a ledger as a daemon does, file `count` photos, and close it."""
    with opened_ledger(path) as ledger:
        commit(ledger, count, name)


def commit(ledger: Ledger, count: int, name: str) -> None:
    intents = [
        intent(Path(f"/in/{name}{number}.jpg"), Path(f"/out/{name}{number}.jpg"), identity=identity(number), sha256="0")
        for number in range(count)
    ]
    ledger.conclude(dict.fromkeys(ledger.intend(intents, 1.0), Outcome.FILED), 1.0)


def sources(connection: sqlite3.Connection) -> set[str]:
    return {bytes(row[0]).decode()[4:5] for row in connection.execute("SELECT source FROM photos")}


@pytest.fixture
def no_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no folder for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))


@pytest.mark.usefixtures("no_copies")
def test_the_ledger_of_a_stopped_daemon_is_read_in_place_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "state" / "ledger.sqlite"
    filed(path, 3)
    before = {file.name: file.stat().st_mtime_ns for file in path.parent.iterdir()}
    assert ask_ledger(path, sources) == {"a"}
    assert {file.name: file.stat().st_mtime_ns for file in path.parent.iterdir()} == before


@pytest.mark.parametrize(
    "which",
    [
        RecordFilter(label="sea"),
        RecordFilter(label="sea", or_taken_for=True),
        RecordFilter(said="sea"),
        RecordFilter(states=("filed",), at_large=True),
    ],
)
def test_photos_are_read_youngest_first_without_sorting_all_and_each_place_is_found_by_its_number(
    tmp_path: Path, which: RecordFilter
) -> None:
    filed(tmp_path / "ledger.sqlite", 3)
    condition, values = which.where()
    asked = f"EXPLAIN QUERY PLAN {RECORDS} WHERE {condition} AND id < 9 ORDER BY id DESC LIMIT 1"
    plan = ask_ledger(tmp_path / "ledger.sqlite", lambda one: [row[3] for row in one.execute(asked, values)])
    assert "SEARCH photos USING INTEGER PRIMARY KEY (rowid<?)" in plan
    assert "SEARCH place USING INTEGER PRIMARY KEY (rowid=?) LEFT-JOIN" in plan
    assert not any("TEMP B-TREE" in step for step in plan)


@pytest.mark.usefixtures("no_copies")
def test_a_user_who_may_only_read_needs_no_copy(tmp_path: Path, stranger: Stranger) -> None:
    path = tmp_path / "state" / "ledger.sqlite"
    filed(path, 3)
    path.chmod(0o444)
    path.parent.chmod(0o555)
    script = (
        "import tempfile; tempfile.tempdir = '/nowhere'\n"
        "from pathlib import Path; from daemon.ledger.reader import records\n"
        "from daemon.ledger.queries import RecordFilter\n"
        f"print(len(list(records(Path({str(path)!r}), RecordFilter()))))"
    )
    done = stranger.python(script)
    path.parent.chmod(0o700)
    assert done.stdout == "3\n", done.stderr


def keeps_running(path: Path) -> Callable[[], None]:
    ledger = Ledger(path)
    ledger.conclude(dict.fromkeys(range(1, 501), Outcome.GONE), 2.0)
    ledger._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return ledger.close


def stops_again(path: Path) -> Callable[[], None]:
    keeps_running(path)()
    return lambda: None


@pytest.mark.parametrize("starts", [keeps_running, stops_again])
@pytest.mark.usefixtures("no_copies")
def test_an_answer_that_a_starting_daemon_may_have_spoiled_is_dropped_and_the_daemon_is_not_held_up(
    tmp_path: Path, starts: Callable[[Path], Callable[[], None]]
) -> None:
    path = tmp_path / "state" / "ledger.sqlite"
    filed(path, 500)
    ends: list[Callable[[], None]] = []

    def question(connection: sqlite3.Connection) -> set[str]:
        rows = connection.execute("SELECT state FROM photos ORDER BY id")
        states = {next(rows)[0]}
        if not ends:
            ends.append(starts(path))
        return states | {row[0] for row in rows}

    assert ask_ledger(path, question) == {"gone"}
    ends[0]()
    assert not Path(f"{path}-wal").exists()


def test_a_question_that_fails_because_pages_changed_is_asked_again_and_a_fault_of_its_own_is_not(
    tmp_path: Path,
) -> None:
    path = tmp_path / "ledger.sqlite"
    filed(path, 1)
    asked = []

    def question(connection: sqlite3.Connection) -> int:
        asked.append(1)
        if len(asked) == 1:
            filed(path, 1, "b")
            raise sqlite3.DatabaseError("database disk image is malformed")
        return int(connection.execute("SELECT count(*) FROM photos").fetchone()[0])

    assert ask_ledger(path, question) == 2

    def wrong(_: sqlite3.Connection) -> None:
        asked.append(1)
        raise ValueError("of its own")

    with pytest.raises(ValueError, match="of its own"):
        ask_ledger(path, wrong)
    assert len(asked) == 3


def test_a_ledger_that_never_rests_is_given_up(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    filed(path, 1)
    with pytest.raises(LedgerError, match="changes faster than it can be read"):
        ask_ledger(path, lambda _: filed(path, 1))


@pytest.mark.usefixtures("no_copies")
def test_a_reader_that_pauses_holds_no_log_and_sees_each_photo_once(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    filed(path, 2 * PAGE + 10)
    with opened_ledger(path) as daemon:
        commit(daemon, 1, "b")
        some = records(path, RecordFilter())
        seen = [record.row for record in islice(some, 3)]
        for _ in range(5):
            commit(daemon, PAGE, "c")
        (busy, log, done) = daemon._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        assert (busy, log, done) == (0, 0, 0), "the reader holds the log"
        seen += [record.row for record in some]
    assert seen == list(range(2 * PAGE + 11, 0, -1))
    assert not Path(f"{path}-wal").exists()


@pytest.mark.parametrize("limit", [1, PAGE, PAGE + 1, 2 * PAGE])
def test_a_limit_is_kept_across_pages(tmp_path: Path, limit: int) -> None:
    path = tmp_path / "ledger.sqlite"
    filed(path, 2 * PAGE + 10)
    assert len(list(records(path, RecordFilter(), limit))) == limit


def test_an_older_ledger_is_copied_once_however_many_pages_are_read_and_its_inbox_is_known_without_a_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "phototriage" / "x" / "ledger.sqlite"
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with monkeypatch.context() as old:
        old.setattr(schema, "MIGRATIONS", MIGRATIONS[:1])
        with opened_ledger(path) as ledger:
            row = (
                "1, 'filed', 'filed', 1, 1, x'2f61', x'2f62', '1', '2', 3, 4, '0', 'red', 1, '{}', 0, '', '', '', '{}'"
            )
            for number in range(1, 4):
                ledger._connection.execute(f"INSERT INTO photos VALUES ({number}, {row})")
    copies: list[Path] = []
    copy = reader_module._copy

    def counted(source: Path, target: Path) -> None:
        copies.append(target)
        copy(source, target)

    monkeypatch.setattr(reader_module, "_copy", counted)
    monkeypatch.setattr(reader_module, "PAGE", 1)
    assert len(list(records(path, RecordFilter()))) == 3
    assert len(copies) == 1
    with pytest.raises(LedgerError, match="There is no ledger of /nowhere"):
        find_ledgers(Path("/nowhere"))
    assert len(copies) == 1


def test_a_newer_ledger_is_refused_without_a_copy(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    filed(path, 1)
    with closing(sqlite3.connect(path)) as newer:
        newer.execute("PRAGMA user_version = 999")
    with reader(path) as one, pytest.raises(LedgerError, match="was written by a newer phototriage"):
        one.ask(sources)


def test_a_ledger_that_is_gone_is_said(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="cannot be used"):
        ask_ledger(tmp_path / "ledger.sqlite", sources)
