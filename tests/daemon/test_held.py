"""What was filed as a copy or link, or taken back, is left alone while its content is the same, and only so long."""

import os
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.filing.filer import Filer
from daemon.ledger.queries import RecordFilter
from daemon.photo import Mode, Outcome, Photo
from daemon.undo.execute import carry_out
from daemon.undo.undo import plans
from tests.daemon.house import House
from tests.daemon.support import (
    HandClock,
    identity_of,
    model_file,
    opened_filer,
    opened_ledger,
    photo_of,
    plain,
    roots,
    run,
    scored,
    tree,
    unique,
    write,
)  # fmt: skip

PHOTO, TIME_S = plain("red"), 1_500_000_000.5
NOW_S = 4e9
"""Later than any file's change, so that it was noticed after it."""
OTHER = PHOTO[:-2] + b"xx"
Change = Callable[[Path], Path]
"""Does something to a file of the inbox and returns where it lies then."""


def edited_with_its_time_kept(path: Path) -> Path:
    """As `exiftool -P` does."""
    with path.open("r+b") as file:
        file.write(OTHER)
    os.utime(path, (TIME_S, TIME_S))
    return path


def edited_to_the_same_size(path: Path) -> Path:
    return touched(edited_with_its_time_kept(path))


def another_in_its_inode(path: Path) -> Path:
    """As the number of a file that went is given to the next one: another frame of equal size and time."""
    return edited_with_its_time_kept(path.rename(path.with_name("frame2.jpg")))


def replaced_with_its_time_kept(path: Path) -> Path:
    write(path.with_name("new"), OTHER, mtime_s=TIME_S).rename(path)
    return path


def mode_changed(path: Path) -> Path:
    path.chmod(0o600)
    return path


def touched(path: Path) -> Path:
    os.utime(path, (TIME_S + 9.0, TIME_S + 9.0))
    return path


def renamed(path: Path) -> Path:
    return path.rename(path.with_name("renamed.jpg"))


def linked(path: Path) -> Path:
    path.with_name(".link").hardlink_to(path)
    return path


def restored(path: Path) -> Path:
    """As from a backup."""
    write(path.with_name("new"), PHOTO, mtime_s=TIME_S).rename(path)
    return path


def known(ledger: Path, path: Path) -> bool:
    with opened_ledger(ledger) as opened:
        return opened.known(path, identity_of(path))


def filed(filer: Filer, path: Path) -> Photo:
    photo = scored(path)
    photo.found = replace(photo.found, noticed_s=NOW_S)
    filer.file([photo])
    return photo


@pytest.fixture
def clock() -> HandClock:
    return HandClock(NOW_S)


@pytest.mark.parametrize("mode", [Mode.COPY, Mode.HARDLINK, Mode.SYMLINK])
@pytest.mark.parametrize(
    "change", [edited_with_its_time_kept, edited_to_the_same_size, another_in_its_inode, replaced_with_its_time_kept]
)
def test_another_content_is_another_photo_though_size_and_time_and_even_the_inode_are_the_same(
    tmp_path: Path, clock: HandClock, mode: Mode, change: Change
) -> None:
    inbox, output = roots(tmp_path)
    path = write(inbox / "a.jpg", PHOTO, mtime_s=TIME_S)
    with opened_filer(output, tmp_path / "l", clock, mode=mode) as filer:
        assert filed(filer, path).filing.outcome is Outcome.FILED
        assert known(tmp_path / "l", path)
        path = change(path)
        assert not known(tmp_path / "l", path)
        photo = filed(filer, path)
    assert (photo.filing.outcome, photo.filing.stays) == (Outcome.FILED, True)
    assert photo.filing.destination is not None
    assert photo.filing.destination.read_bytes() == OTHER
    assert len(list((output / "red").iterdir())) == 2
    assert known(tmp_path / "l", path)


@pytest.mark.parametrize("mode", [Mode.COPY, Mode.HARDLINK, Mode.SYMLINK])
@pytest.mark.parametrize("change", [mode_changed, touched, renamed, linked, restored])
def test_the_same_content_is_read_once_and_left_alone(
    tmp_path: Path, clock: HandClock, mode: Mode, change: Change
) -> None:
    inbox, output = roots(tmp_path)
    path = write(inbox / "a.jpg", PHOTO, mtime_s=TIME_S)
    with opened_filer(output, tmp_path / "l", clock, mode=mode) as filer:
        filed(filer, path)
        path = change(path)
        assert not known(tmp_path / "l", path)
        photo = filed(filer, path)
    assert (photo.filing.outcome, photo.filing.stays, photo.filing.destination) == (Outcome.LEFT, True, None)
    assert photo.filing.reason == "it was filed or taken back before, and its content has not changed since"
    assert [found.name for found in (output / "red").iterdir()] == ["a.jpg"]
    assert known(tmp_path / "l", path)


def test_what_was_changed_after_it_was_noticed_may_have_been_read_before_so_it_is_read_once_more(
    tmp_path: Path, clock: HandClock
) -> None:
    inbox, output = roots(tmp_path)
    path = write(inbox / "a.jpg", PHOTO, mtime_s=TIME_S)
    with opened_filer(output, tmp_path / "l", clock, mode=Mode.COPY) as filer:
        filed(filer, path)
        photo = scored(mode_changed(path))
        photo.found = replace(photo.found, noticed_s=NOW_S - 3e9)
        filer.file([photo])
        assert photo.filing.stays
        assert not known(tmp_path / "l", path)
        filed(filer, path)
    assert known(tmp_path / "l", path)


@pytest.mark.parametrize("change", [edited_with_its_time_kept, mode_changed])
def test_what_was_taken_back_is_left_alone_while_its_content_is_the_same(
    tmp_path: Path, clock: HandClock, change: Change
) -> None:
    house = House(tmp_path / "house")
    house.file("a.jpg", at_s=TIME_S)
    with opened_ledger(house.path) as ledger:
        list(carry_out(ledger, plans(house.path, RecordFilter(), -1, Outcome.UNDONE), 2.0))
    path = house.inbox / "a.jpg"
    assert known(house.path, path)
    change(path)
    assert not known(house.path, path)
    with opened_filer(house.output, house.path, clock) as filer:
        photo = filed(filer, path)
    assert (photo.filing.outcome, path.exists()) == (
        (Outcome.LEFT, True) if change is mode_changed else (Outcome.FILED, False)
    )


@pytest.mark.parametrize("change", [edited_with_its_time_kept, edited_to_the_same_size, mode_changed])
def test_a_copied_companion_follows_the_same_rule(tmp_path: Path, clock: HandClock, change: Change) -> None:
    inbox, output = roots(tmp_path)
    photo, part = write(inbox / "a.jpg", PHOTO), write(inbox / "a.xmp", PHOTO, mtime_s=TIME_S)
    with opened_filer(output, tmp_path / "l", clock, mode=Mode.COPY) as filer:
        filer.file([photo_of(part, is_companion=True, noticed_s=NOW_S), scored(photo)])
        assert known(tmp_path / "l", part)
        change(part)
        assert not known(tmp_path / "l", part)
        again = photo_of(part, is_companion=True, noticed_s=NOW_S)
        filer.file([again])
    copies = {path.suffix: path.read_bytes() for path in (output / "red").iterdir() if path.suffix != ".jpg"}
    assert copies == ({".xmp": PHOTO} if change is mode_changed else {".phototriage-kept": PHOTO, ".xmp": OTHER})
    assert known(tmp_path / "l", part)


def test_rows_of_an_earlier_version_are_read_only_where_the_file_was_changed_after_its_outcome(
    tmp_path: Path, clock: HandClock
) -> None:
    inbox, output = roots(tmp_path)
    path = write(inbox / "a.jpg", PHOTO, mtime_s=TIME_S)
    with opened_filer(output, tmp_path / "l", clock, mode=Mode.COPY) as filer:
        filed(filer, path)
        filer._ledger._connection.execute("UPDATE photos SET ctime_ns = NULL, btime_ns = NULL")
        assert known(tmp_path / "l", path)
        filer._ledger._connection.execute("UPDATE photos SET concluded_at = 1000.0")
        assert not known(tmp_path / "l", path)
        assert filed(filer, path).filing.outcome is Outcome.LEFT
        assert known(tmp_path / "l", path)


def test_a_ledger_that_cannot_be_asked_lets_all_wait(tmp_path: Path, clock: HandClock) -> None:
    inbox, output = roots(tmp_path)
    path = write(inbox / "a.jpg", PHOTO)
    with opened_filer(output, tmp_path / "l", clock, mode=Mode.COPY) as filer:
        filed(filer, path)
        other = sqlite3.connect(tmp_path / "l", isolation_level=None)
        filer._ledger._connection.execute("PRAGMA busy_timeout = 1")
        other.execute("BEGIN IMMEDIATE")
        photo = filed(filer, mode_changed(path))
        other.close()
        assert (photo.filing.outcome, photo.filing.stays) == (Outcome.AGAIN, False)
        assert filed(filer, path).filing.stays


def test_a_run_over_an_inbox_copies_what_was_edited_and_nothing_else_again(tmp_path: Path) -> None:
    inbox, output = tmp_path / "in", tmp_path / "out"
    inbox.mkdir()
    for number in range(3):
        write(inbox / f"{number}.jpg", unique("red", number), mtime_s=TIME_S)
    words = ("sort", "--inbox", inbox, "--output", output, "--model", model_file(tmp_path), "--mode", "copy", "--json")
    env = {"STATE_DIRECTORY": str(tmp_path / "state")}
    assert run(*words, env=env).returncode == 0
    mode_changed(inbox / "0.jpg")
    with (inbox / "1.jpg").open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"X")
    os.utime(inbox / "1.jpg", (TIME_S, TIME_S))
    second, third = run(*words, env=env), run(*words, env=env)
    assert set(tree(output / "red")) == {"0.jpg", "1.jpg", "2.jpg", "1-1.jpg"}
    assert second.returncode == third.returncode == 0
    assert third.stdout.count('"event": "photo"') == 0
