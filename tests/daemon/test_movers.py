"""Every row names its mover, and a start settles only rows of movers that do not run."""

import errno
import fcntl
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.files.locks import locked, take_lock
from daemon.files.marker import RootError
from daemon.filing.proof import hidden_of
from daemon.filing.recovery import ignore, reconcile
from daemon.ledger.intent import Intent
from daemon.ledger.movers import LOCKS, LockError, Mover, lock_state, mover_lock
from daemon.photo import Outcome
from daemon.startup_recovery import SETTLERS, settle_others
from tests.daemon.house import House, told
from tests.daemon.support import descriptors, intent, model_file, opened_ledger, plain, run, tree, write


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "house")


def movers(house: House) -> list[str]:
    with closing(sqlite3.connect(house.path)) as connection:
        return [mover for (mover,) in connection.execute("SELECT mover FROM photos ORDER BY id")]


def killed_filing(house: House, name: str, *, moved: bool = True, **changes: object) -> Intent:
    """Leave what a daemon leaves that was killed while it filed a photo: an open row, and the photo moved or not."""
    source, target = write(house.inbox / name, name.encode() + plain("red")), house.output / "red" / name
    target.parent.mkdir(exist_ok=True)
    planned = intent(source, target, **changes)
    with opened_ledger(house.path) as ledger:
        ledger.intend([planned], 2.0)
    if moved:
        source.rename(target)
    return planned


def open_rows(house: House, mover: Mover) -> list[str]:
    with opened_ledger(house.path) as ledger:
        return [intent.source.name for intent in ledger.open_intents(mover).values()]


def states(house: House) -> list[str]:
    return [row["state"] for row in told("history", "--all")][::-1]


def test_rows_name_their_mover(house: House, tmp_path: Path) -> None:
    write(house.inbox / "a.jpg", plain("red"))
    done = run("sort", "--inbox", house.inbox, "--output", house.output, "--model", model_file(tmp_path))
    assert done.returncode == 0, done.stderr
    told("undo", "--last", "1")
    assert movers(house) == ["daemon", "undo"]


def test_each_mover_has_a_lock_of_its_own_and_something_that_settles_its_rows() -> None:
    assert set(LOCKS) == set(SETTLERS) == set(Mover)
    assert len(set(LOCKS.values())) == len(Mover)


def test_undo_settles_what_a_killed_daemon_left(house: House) -> None:
    filed = house.file("old.jpg")
    killed_filing(house, "a.jpg")
    killed_filing(house, "b.jpg", moved=False)
    (row,) = told("undo", "--label", "sea")
    assert row["path"] == str(filed)
    assert open_rows(house, Mover.DAEMON) == []
    assert states(house) == ["filed", "filed", "undone"]
    assert set(tree(house.output)) == {"red/a.jpg"}
    assert set(tree(house.inbox)) == {"b.jpg", "old.jpg"}


def test_undo_finds_the_original_that_its_owner_renamed_after_a_kill(house: House) -> None:
    house.file("old.jpg")
    planned = killed_filing(house, "a.jpg", moved=False)
    copy = write(hidden_of(planned), planned.source.read_bytes())
    os.utime(copy, ns=(planned.identity.mtime_ns,) * 2)
    planned.destination.hardlink_to(copy)
    (house.inbox / "later").mkdir()
    planned.source.rename(house.inbox / "later" / "b.jpg")
    told("undo", "--label", "sea")
    assert len([data for data in (tree(house.inbox) | tree(house.output)).values() if b"a.jpg" in data]) == 1


def test_a_hidden_name_that_a_killed_daemon_left_goes_though_an_undo_committed_since(house: House) -> None:
    planned = killed_filing(house, "a.jpg")
    hidden_of(planned).hardlink_to(planned.destination)
    with opened_ledger(house.path) as ledger:
        (row,) = ledger.open_intents(Mover.DAEMON)
        ledger.conclude({row: Outcome.FILED}, 3.0)
        undone = replace(
            planned, source=house.output / "b", destination=house.inbox / "b", undoes=row, mover=Mover.UNDO
        )
        ledger.conclude(dict.fromkeys(ledger.intend([undone], 4.0), Outcome.GONE), 5.0)
        reconcile(ledger, 6.0)
    assert not hidden_of(planned).exists()
    assert planned.destination.exists()


def test_undo_leaves_the_rows_of_a_running_daemon_alone(house: House) -> None:
    house.file("old.jpg")
    killed_filing(house, "a.jpg")
    with lock_state(house.path.parent):
        told("undo", "--label", "sea")
    assert open_rows(house, Mover.DAEMON) == ["a.jpg"]


def test_a_start_takes_no_lock_of_a_mover_without_open_rows(house: House) -> None:
    with opened_ledger(house.path) as ledger:
        settle_others(ledger, house.path.parent, Mover.DAEMON, 2.0, ignore)
    assert not (house.path.parent / LOCKS[Mover.UNDO]).exists()


def test_a_row_of_an_earlier_versions_undo_is_not_taken_for_one_of_the_daemon(house: House) -> None:
    """It may run on while the new version starts, and writes rows that name no mover."""
    house.file("a.jpg")
    with opened_ledger(house.path) as ledger:
        (was,) = ledger.of_names(house.inbox, [("a", "b")], 0.0).values()
        ledger.intend([replace(was, source=was.destination, destination=was.source, undoes=1)], 2.0)
        assert ledger.open_intents(Mover.DAEMON) == {}
        assert list(ledger.open_intents(Mover.UNDO)) == [2]


@pytest.fixture
def of_a_service(monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """Yield a house in which nothing but one folder is root's."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:  # pytest's own folders are closed to other users
        monkeypatch.setenv("XDG_STATE_HOME", f"{folder}/state")
        yield House(Path(folder) / "house")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is another user")
def test_root_settles_the_rows_of_a_daemon_as_its_user(of_a_service: House) -> None:
    """Otherwise a link that somebody puts into the output would let root write where the daemon's user may not."""
    of_a_service.file("old.jpg")
    planned = killed_filing(of_a_service, "a.jpg", becomes=Outcome.FAILED, reason="corrupt: torn")
    folder = planned.destination.parent
    closed = folder.rename(of_a_service.output.parent / "of root")
    folder.symlink_to(closed)
    home = of_a_service.output.parents[1]
    for path in (home, *home.rglob("*")):
        if path not in (closed, *closed.iterdir()):
            os.chown(path, 12345, 12345, follow_symlinks=False)
    home.chmod(0o755)
    told("undo", "--label", "sea")
    assert [path.name for path in closed.iterdir()] == ["a.jpg"]
    assert os.geteuid() == 0


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[int]:
    """A descriptor with which the kernel locks nothing, as it does with one for reading on NFS: with the same error."""
    descriptor = os.open(write(tmp_path / "file", b""), os.O_PATH)
    yield descriptor
    os.close(descriptor)


def test_a_file_that_is_locked_only_if_it_is_open_for_writing_is_opened_so(read_only: int, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="Bad file descriptor"):
        fcntl.flock(read_only, fcntl.LOCK_EX)
    before = descriptors()
    assert take_lock(read_only)
    assert descriptors() == before
    with pytest.raises(RootError, match="held"):
        locked(tmp_path / "file", "held")


@pytest.mark.parametrize("mover", Mover)
def test_a_link_in_the_place_of_a_lock_is_not_followed(tmp_path: Path, mover: Mover) -> None:
    (tmp_path / LOCKS[mover]).symlink_to(tmp_path / "made")
    with pytest.raises(LockError, match=os.strerror(errno.ELOOP)), mover_lock(tmp_path, mover):
        pass
    assert not (tmp_path / "made").exists()


def test_a_lock_is_held_by_one_at_a_time_and_free_afterwards(tmp_path: Path) -> None:
    with mover_lock(tmp_path, Mover.UNDO) as first, mover_lock(tmp_path, Mover.UNDO) as second:
        assert (first, second) == (True, False)
        with mover_lock(tmp_path, Mover.DAEMON) as other:
            assert other
    with mover_lock(tmp_path, Mover.UNDO) as again:
        assert again
