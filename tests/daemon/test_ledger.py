"""The ledger keeps what was committed, whatever happens to its process, and says so when it cannot be used."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from daemon.files.identity import Identity
from daemon.ledger import schema
from daemon.ledger.ledger import Intent, Ledger, LedgerError
from daemon.ledger.movers import Mover, lock_state
from daemon.ledger.recorded_roots import Root
from daemon.ledger.schema import MIGRATIONS
from daemon.ledger.totals import totals
from daemon.photo import Mode, Outcome
from daemon.review import ReviewReason
from tests.daemon.conftest import Stranger
from tests.daemon.support import environment, opened_ledger

HUGE = Identity(device=2**64 - 1, inode=2**64 - 2, size=2**62, mtime_ns=-(2**60))
A = Path("/in/a.jpg")
RAW = Path(os.fsdecode(b"/in/caf\xe9 \xf0\x9f\x8c\xb2.jpg"))


def planned(name: str = "/in/a.jpg", **fields: object) -> Intent:
    whole: dict[str, object] = {
        "becomes": Outcome.FILED, "source": Path(name), "destination": Path("/out/red/a.jpg"),
        "identity": Identity(1, 2, 3, 4), "sha256": "00", "label": "red",
    }  # fmt: skip
    return Intent(**(whole | fields))  # type: ignore[arg-type]


def rows(path: Path, columns: str = "*") -> list[tuple[object, ...]]:
    """Read the photos' rows as another process would, while the ledger may be open."""
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    try:
        return connection.execute(f"SELECT {columns} FROM photos ORDER BY id").fetchall()
    finally:
        connection.close()


def test_an_intent_is_open_until_it_is_concluded_and_what_was_not_moved_leaves_no_row(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "state" / "ledger.sqlite"
    with opened_ledger(path) as ledger:
        first, second, third = ledger.intend([planned("/in/1"), planned("/in/2"), planned("/in/3")], 10.0)
        (fourth,) = ledger.intend([planned("/in/4", becomes=Outcome.FAILED)], 11.0)
        ledger.conclude({first: Outcome.FILED, second: None}, 12.0)
        assert list(ledger.open_intents(Mover.DAEMON)) == [third, fourth]
        ledger.conclude({third: Outcome.GONE, fourth: Outcome.FAILED}, 13.0)
        assert ledger.open_intents(Mover.DAEMON) == {}
        assert rows(path, "batch, state, becomes, intended_at, concluded_at") == [
            (1, "filed", "filed", 10.0, 12.0),
            (1, "gone", "filed", 10.0, 13.0),
            (2, "failed", "failed", 11.0, 13.0),
        ]
    assert path.parent.stat().st_mode & 0o77 == 0


def test_numbers_and_names_that_fit_no_column_of_their_kind_come_back_as_they_were(tmp_path: Path) -> None:
    with opened_ledger(tmp_path / "l") as ledger:
        (row,) = ledger.intend(
            [planned(source=RAW, destination=RAW.with_name("x\n'; DROP TABLE photos; --"), identity=HUGE)], 1.0
        )
        (back,) = ledger.open_intents(Mover.DAEMON).values()
        assert ledger.open_intents(Mover.UNDO) == {}
        assert (back.source, back.destination.name, back.identity) == (RAW, "x\n'; DROP TABLE photos; --", HUGE)
        ledger.roots.record("inbox", Root("id", RAW.parent, RAW))
        assert ledger.roots.get("inbox") == Root("id", RAW.parent, RAW)
        assert ledger.roots.get("output") is None
    assert rows(tmp_path / "l", "id, source, label") == [(row, os.fsencode(RAW), "red")]


def test_the_whole_story_of_a_photo_is_in_its_row(tmp_path: Path) -> None:
    story = planned(
        top={"Forêt": 0.9}, probability=0.9, threshold=0.5, reason="why", model="m", provider="cpu",
        times_ms={"decode": 1.23456},
    )  # fmt: skip
    with opened_ledger(tmp_path / "l") as ledger:
        ledger.intend([story], 1.0)
    wanted = ("red", 0.9, '{"Forêt": 0.9}', 0.5, "why", "m", "cpu", '{"decode": 1.235}')
    assert rows(tmp_path / "l", "label, probability, top, threshold, reason, model, provider, times_ms") == [wanted]


KILLED = """
import os, signal, sys
from pathlib import Path
from daemon.ledger.intent import insert_intents
from daemon.ledger.ledger import Ledger, Intent
from daemon.photo import Identity, Outcome
ledger = Ledger(Path(sys.argv[1]))
rows = [ledger.intend([Intent(Outcome.FILED, Path(f"/in/{n}"), Path(f"/out/{n}"), Identity(1, n, 3, 4), "00")], 1.0)[0]
        for n in range(4)]
ledger.conclude({rows[0]: Outcome.FILED, rows[1]: None}, 2.0)
ledger._connection.execute("BEGIN IMMEDIATE")
half = Intent(Outcome.FILED, Path("/in/half"), Path("/out/half"), Identity(1, 9, 3, 4), "00")
insert_intents(ledger._connection, [half], 3.0, 2)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_was_committed_survives_a_kill_and_what_was_not_never_was(tmp_path: Path) -> None:
    path = tmp_path / "l"
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], env=environment(), timeout=60)
    assert done.returncode == -signal.SIGKILL
    with opened_ledger(path) as ledger:
        assert [intent.source for intent in ledger.open_intents(Mover.DAEMON).values()] == [
            Path("/in/2"),
            Path("/in/3"),
        ]
        ledger.intend([planned()], 4.0)
    assert [row[0] for row in rows(path, "batch")] == [1, 3, 4, 5]


def test_a_new_version_brings_an_old_ledger_up_to_date_in_order_and_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "l"
    with monkeypatch.context() as old:
        old.setattr(schema, "MIGRATIONS", MIGRATIONS[:1])
        with opened_ledger(path) as ledger:
            assert [column[1] for column in ledger._connection.execute("PRAGMA table_info(photos)")][-1] == "times_ms"
            texts = "'00', 'red', 1, '{}', 0, '', '', '', '{}'"
            ledger._connection.execute(
                f"INSERT INTO photos VALUES (1, 1, 'intent', 'filed', 1, NULL, ?, x'2f', '1', '2', 3, 4, {texts})",
                (os.fsencode(A),),
            )
    more = (*MIGRATIONS, "ALTER TABLE photos ADD COLUMN a TEXT;", "UPDATE photos SET a = coalesce(a, '') || 'x';")
    monkeypatch.setattr(schema, "MIGRATIONS", more)
    for _ in range(2):
        with opened_ledger(path) as ledger:
            assert [(intent.source, intent.mode) for intent in ledger.open_intents(Mover.DAEMON).values()] == [
                (A, Mode.MOVE)
            ]
        assert rows(path, "source, a") == [(b"/in/a.jpg", "x")]


def test_several_that_open_a_new_ledger_at_once_all_get_it(tmp_path: Path) -> None:
    """A daemon starts while a command opens the same ledger for the first time, or after an update."""
    ready, path = threading.Barrier(4), tmp_path / "state" / "ledger.sqlite"

    def opened(_: int) -> int:
        ready.wait()
        with opened_ledger(path) as ledger:
            return int(ledger._connection.execute("PRAGMA user_version").fetchone()[0])

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(opened, range(4))) == [len(MIGRATIONS)] * 4


def test_reviews_of_an_old_ledger_are_unsure_ones_and_what_it_did_not_know_stays_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "l"
    before = next(number for number, script in enumerate(MIGRATIONS) if "review_reason TEXT" in script)
    with monkeypatch.context() as old:
        old.setattr(schema, "MIGRATIONS", MIGRATIONS[:before])
        with opened_ledger(path) as ledger:
            columns = "batch, state, becomes, intended_at, source, destination, device, inode, size, mtime_ns, sha256,"
            columns += "label, probability, top, threshold, reason, model, provider, times_ms"
            for state, becomes in (("review", "review"), ("intent", "review"), ("filed", "filed"), ("gone", "review")):
                ledger._connection.execute(
                    f"INSERT INTO photos ({columns}) VALUES (1, 'intent', ?, 1, x'2f', x'2f', '1', '2', 3, 4, '00',"
                    " 'red', 1, '{}', 0, '', '', '', '{}')",
                    (becomes,),
                )
                ledger._connection.execute(
                    "UPDATE photos SET state = ? WHERE id = (SELECT max(id) FROM photos)", (state,)
                )
    with opened_ledger(path) as ledger:
        assert [(one.review_reason, one.likeness) for one in ledger.open_intents(Mover.DAEMON).values()] == [
            (ReviewReason.UNSURE, None)
        ]
        counted = totals(ledger._connection, 0.0)
        assert (counted.outcomes, counted.reviews) == ({"review": 1, "filed": 1, "gone": 1}, {"unsure": 1})
    assert rows(path, "review_reason, familiarity, familiarity_limit, nearest") == [
        (reason, None, None, None) for reason in ("unsure", "unsure", "", "")
    ]


def test_a_migration_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "l"
    with opened_ledger(path) as ledger:
        ledger.intend([planned()], 1.0)
    with monkeypatch.context() as broken:
        broken.setattr(schema, "MIGRATIONS", (*MIGRATIONS, "DELETE FROM photos; SELECT * FROM nowhere;"))
        with pytest.raises(LedgerError, match="nowhere"):
            Ledger(path)
    with opened_ledger(path) as ledger:
        assert len(ledger.open_intents(Mover.DAEMON)) == 1


def test_a_ledger_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "l"
    with opened_ledger(path) as ledger:
        ledger._connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    with pytest.raises(LedgerError, match=r"written by a newer phototriage\. Update this one"):
        Ledger(path)


@pytest.mark.parametrize("damage", ["text", "torn"])
def test_a_damaged_ledger_is_refused_with_what_to_do(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "l"
    with opened_ledger(path) as ledger:
        ledger.intend([planned(f"/in/{number}") for number in range(500)], 1.0)
    data = path.read_bytes()
    torn = data[:1024] + b"\xff" * 8192 + data[9216:]
    path.write_bytes(b"this is a text of mine" * 300 if damage == "text" else torn)
    with pytest.raises(LedgerError, match=r"is damaged\. Move it away and start again") as caught:
        Ledger(path)
    assert str(path) in str(caught.value)


def test_a_folder_that_cannot_be_written_is_said(stranger: Stranger) -> None:
    stranger.folder.chmod(0o555)
    script = f"from daemon.ledger.ledger import Ledger; Ledger(Path({str(stranger.folder / 'state' / 'l')!r}))"
    done = stranger.python(script)
    stranger.folder.chmod(0o755)
    assert "LedgerError: The ledger" in done.stderr
    assert "Check the folder's permissions" in done.stderr


def test_a_full_disk_stops_one_batch_and_not_the_next(tmp_path: Path) -> None:
    path = tmp_path / "l"
    with opened_ledger(path) as ledger:
        (first,) = ledger.intend([planned("/in/first")], 1.0)
        (pages,) = ledger._connection.execute("PRAGMA page_count").fetchone()
        ledger._connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(sqlite3.OperationalError, match="full"):
            ledger.intend([planned(f"/in/{number}" + "x" * 3000) for number in range(50)], 2.0)
        ledger.conclude({first: Outcome.FILED}, 3.0)
        ledger._connection.execute("PRAGMA max_page_count = 1000000")
        ledger.intend([planned("/in/second")], 4.0)
        assert [intent.source for intent in ledger.open_intents(Mover.DAEMON).values()] == [Path("/in/second")]


def test_a_commit_that_fails_leaves_no_transaction_open(tmp_path: Path) -> None:
    """Another process that reads holds up a commit in the rollback journal; in WAL it does not, but errors may."""
    path = tmp_path / "l"
    with opened_ledger(path) as ledger:
        ledger._connection.execute("PRAGMA journal_mode = DELETE")
        ledger._connection.execute("PRAGMA busy_timeout = 1")
        reader = sqlite3.connect(path, isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM photos").fetchall()
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            ledger.intend([planned("/in/1")], 1.0)
        reader.execute("COMMIT")
        reader.close()
        ledger.intend([planned("/in/2")], 2.0)
        assert [intent.source for intent in ledger.open_intents(Mover.DAEMON).values()] == [Path("/in/2")]


def test_a_damaged_page_that_no_question_touched_is_found_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "l"
    with opened_ledger(path) as ledger:
        ledger.intend([planned(f"/in/{number}") for number in range(500)], 1.0)
        (root,) = ledger._connection.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'photos_content'"
        ).fetchone()
    with path.open("r+b") as file:
        file.seek(4096 * (root - 1))
        file.write(b"\xff" * 200)
    with pytest.raises(LedgerError, match=r"is damaged\. Move it away and start again: mv .*/l .*/l\.damaged"):
        Ledger(path)


def test_a_file_filed_as_a_copy_is_known_by_its_inode_and_in_its_place_when_its_device_is_renumbered(
    tmp_path: Path,
) -> None:
    with opened_ledger(tmp_path / "l") as ledger:
        ledger.intend([planned(identity=Identity(1, 2, 3, 4), mode=Mode.COPY, held=A)], 1.0)
        renamed = A.with_name("b.jpg")
        for path, file in ((A, (1, 2, 3, 4)), (renamed, (1, 2, 3, 4)), (A, (9, 2, 3, 4))):
            assert ledger.known(path, Identity(*file)), (path, file)
        for path, file in ((renamed, (9, 2, 3, 4)), (A, (1, 7, 3, 4)), (A, (1, 2, 7, 4)), (A, (1, 2, 3, 7))):
            assert not ledger.known(path, Identity(*file)), (path, file)


def test_of_a_ledger_that_cannot_be_read_no_file_is_known_and_the_intake_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "l"
    with opened_ledger(path) as ledger:
        ledger.intend([planned(identity=Identity(1, 2, 3, 4), mode=Mode.COPY, held=A)], 1.0)
        ledger._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        whole = path.read_bytes()
        with path.open("r+b") as file:
            file.write(b"\xff" * len(whole))
        assert not ledger.known(A, Identity(1, 2, 3, 4))
        with path.open("r+b") as file:
            file.write(whole)
        assert ledger.known(A, Identity(1, 2, 3, 4))


def test_on_a_share_each_thread_opens_its_own_connection_again_and_leaves_the_other_alone(tmp_path: Path) -> None:
    """One thread must not close what another reads from: SQLite then fails in any way."""
    with opened_ledger(tmp_path / "l") as ledger:
        ledger.intend([planned(identity=Identity(1, 2, 3, 4), mode=Mode.COPY, held=A)], 1.0)
        ledger.on_share = True
        reader = ledger._reader
        ledger._connection.close()
        with pytest.raises(sqlite3.Error):
            ledger.open_intents(Mover.DAEMON)
        assert len(ledger.open_intents(Mover.DAEMON)) == 1
        assert ledger._reader is reader
        ledger._connection.close()
        with pytest.raises(sqlite3.Error):
            ledger.intend([planned()], 2.0)
        assert len(ledger.intend([planned()], 2.0)) == 1
        filing = ledger._connection
        ledger._reader.close()
        assert not ledger.known(A, Identity(1, 2, 3, 4))
        assert ledger.known(A, Identity(1, 2, 3, 4))
        assert ledger._connection is filing


def test_a_file_taken_back_is_known_in_its_place_until_it_is_changed_or_renamed(tmp_path: Path) -> None:
    second = 10**9
    with opened_ledger(tmp_path / "l") as ledger:
        (filed,) = ledger.intend([planned()], 1.0)
        assert not ledger.known(A, Identity(1, 2, 3, 4))
        (row,) = ledger.intend([planned(identity=Identity(1, 2, 3, 5 * second), undoes=filed, held=A)], 2.0)
        for state in ("on its way", "there"):
            assert ledger.known(A, Identity(8, 9, 3, 5 * second)), state
            assert ledger.known(A, Identity(8, 9, 3, 4 * second)), f"{state}, where times are kept to two seconds"
            assert not ledger.known(A.with_name("b.jpg"), Identity(1, 2, 3, 5 * second)), state
            assert not ledger.known(A, Identity(1, 2, 7, 5 * second)), state
            assert not ledger.known(A, Identity(1, 2, 3, 8 * second)), state
            ledger.conclude({row: Outcome.FILED}, 3.0)
        assert list(ledger.open_intents(Mover.DAEMON)) == [filed]


def test_batches_are_numbered_on_also_between_processes(tmp_path: Path) -> None:
    path = tmp_path / "l"
    with opened_ledger(path) as daemon, opened_ledger(path) as other:
        for ledger in (daemon, other, daemon):
            ledger.intend([planned(), planned()], 1.0)
    assert rows(path, "batch") == [(1,), (1,), (2,), (2,), (3,), (3,)]


def test_others_read_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "l"
    with opened_ledger(path) as ledger:
        for number in range(5):
            (row,) = ledger.intend([planned(f"/in/{number}")], 1.0)
            assert rows(path, "state")[-1] == ("intent",)
            ledger.conclude({row: Outcome.FILED}, 2.0)
            assert rows(path, "state") == [("filed",)] * (number + 1)


def test_a_large_ledger_is_checked_after_a_crash_and_not_beside_the_daemon_that_checked_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.ledger.ledger.CHECKED_BYTES", -1)
    path, checks = tmp_path / "ledger.sqlite", list[str]()

    def connect(file: Path) -> sqlite3.Connection:
        connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        connection.set_trace_callback(lambda sql: checks.append(sql) if "quick_check" in sql else None)
        return connection

    monkeypatch.setattr("daemon.ledger.ledger._connect", connect)
    with opened_ledger(path), lock_state(tmp_path), opened_ledger(path):
        assert checks == []
    with opened_ledger(path), opened_ledger(path):  # its log is there, and nobody holds the lock: as after a crash
        assert checks == ["PRAGMA quick_check(1)"]
