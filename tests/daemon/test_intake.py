"""The intake hands out each file once, in bounded memory, and finds by itself what it missed. Its clock is turned."""

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from common.errors import PhotoError, Reason
from daemon.files.marker import MountMissingError
from daemon.intake import intake as intake_module
from daemon.intake import scanner as lookout_module
from daemon.intake.filters import PathFilter
from daemon.intake.intake import MAX_WAITING, NAMES_AT_ONCE, Intake
from daemon.intake.names.uploads import REST_S, STALE_S
from daemon.intake.scanner import RESCAN_S
from daemon.intake.settle import Trigger
from daemon.intake.unfinished import SPARE, Unfinished
from daemon.photo import Outcome, Photo
from daemon.process.log_level import Level
from tests.daemon.support import DEADLINE_S, HandClock, identity, plain, saying, wait_until, write


class World:
    """An intake, its clock and what it said."""

    def __init__(self, inbox: Path, *, watch: bool, check: Callable[[], None] = lambda: None) -> None:
        self.inbox, self.clock, self.said, self.levels = inbox, HandClock(), list[str](), list[Level]()
        say = saying(self.said, self.levels)
        self.intake = Intake(PathFilter(inbox), self.clock, say, watch=watch, check=check)  # type: ignore[arg-type]
        self.watched = watch

    def ready(self, room: int = 1000, turns: int = 8, step_s: float = 0.3) -> list[Photo]:
        """Collect what gets ready while the clock is turned."""
        photos: list[Photo] = []
        for _ in range(turns):
            photos += self.intake.ready(room - len(photos), 0.0)
            self.clock.turn(step_s)
        return photos

    def names(self, **how: float) -> list[str]:
        return [photo.path.name for photo in self.ready(**how)]  # type: ignore[arg-type]

    def done(self, photo: Photo, outcome: Outcome = Outcome.FILED, reason: Reason | None = None) -> None:
        photo.filing.outcome = outcome
        photo.judgement = replace(photo.judgement, fault=PhotoError(reason, "") if reason else None)
        if outcome is Outcome.FILED:
            photo.path.unlink(missing_ok=True)
        self.intake.done([photo])


@contextmanager
def world(inbox: Path, *, watch: bool = False) -> Iterator[World]:
    one = World(inbox, watch=watch)
    try:
        yield one
    finally:
        one.intake.close()


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    (tmp_path / "inbox").mkdir()
    return tmp_path / "inbox"


def test_what_is_there_at_the_start_is_handed_out_once_and_then_the_pass_is_over(inbox: Path) -> None:
    for number in range(5):
        write(inbox / f"{number}.jpg", b"x")
    with world(inbox) as one:
        assert not one.intake.finished_once()
        photos = one.ready()
        assert sorted(photo.path.name for photo in photos) == [f"{number}.jpg" for number in range(5)]
        assert not any(photo.found.announced for photo in photos)
        assert one.ready() == []
        assert not one.intake.finished_once()
        for photo in photos:
            one.done(photo)
        assert one.ready() == []
        assert one.intake.finished_once()


def test_a_file_that_grows_between_two_looks_is_handed_out_when_it_has_stopped(inbox: Path) -> None:
    path = write(inbox / "a.jpg", b"x")
    with world(inbox) as one:
        for _ in range(4):
            assert one.ready(turns=2, step_s=0.2) == []
            with path.open("ab") as file:
                file.write(b"more")
        (photo,) = one.ready()
        assert photo.found.identity.size == path.stat().st_size


@contextmanager
def backlog(inbox: Path, count: int) -> Iterator[World]:
    """An inbox of which as many as there is room for were found, and are ready."""
    for number in range(count):
        write(inbox / f"old {number}.jpg", b"x")
    with world(inbox) as one:
        one.intake.ready(0, 0.0)
        one.clock.turn(0.3)
        one.intake.ready(0, 0.0)
        yield one


def test_what_is_announced_goes_before_what_was_found(inbox: Path) -> None:
    with backlog(inbox, 20) as one:
        one.intake.hint(write(inbox / "new.jpg", b"x"), Trigger.MOVED_IN)
        photos = one.intake.ready(3, 0.0)
        assert [photo.found.announced for photo in photos] == [True, False, False]
        assert photos[0].path.name == "new.jpg"


def test_what_is_announced_goes_first_however_large_the_backlog_that_was_found(
    inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake_module, "MAX_WAITING", 8)
    with backlog(inbox, 50) as one:
        assert one.intake._waiting() == 8
        one.intake.hint(write(inbox / "new.jpg", b"x"), Trigger.MOVED_IN)
        assert one.intake.ready(3, 0.0)[0].path.name == "new.jpg"


def test_what_is_announced_does_not_wait_for_the_scan_to_be_through(inbox: Path) -> None:
    for number in range(5 * NAMES_AT_ONCE):
        write(inbox / f"stays {number}.jpg", b"x")
    asked: list[Path] = []
    with world(inbox) as one:
        new = write(inbox.parent / "new.jpg", b"x")

        def stays(path: Path, _: object) -> bool:
            if not asked:
                one.intake.hint(new.rename(inbox / "new.jpg"), Trigger.MOVED_IN)
            asked.append(path)
            return path.name != "new.jpg"

        one.intake._retries._known_before = stays
        (photo,) = one.intake.ready(10, 0.0)
        assert photo.path.name == "new.jpg"
        assert len(asked) < 3 * NAMES_AT_ONCE
        for _ in range(10):
            assert one.intake.ready(10, 0.0) == []
        assert len(set(asked)) == 5 * NAMES_AT_ONCE + 1


def test_where_a_backlog_took_all_room_there_is_some_left_for_what_is_announced(inbox: Path) -> None:
    write(inbox / "old.jpg", b"x")
    with world(inbox) as one:
        one.intake.ready(0, 0.0)
        one.clock.turn(0.3)
        for number in range(3):
            one.intake.hint(write(inbox / f"new {number}.jpg", b"x"), Trigger.MOVED_IN)
        assert [photo.path.name for photo in one.intake.ready(0, 0.0, spare=2)] == ["new 0.jpg", "new 1.jpg"]
        assert one.intake.ready(-1, 0.0, spare=1) == []
        assert [photo.path.name for photo in one.intake.ready(2, 0.0, spare=1)] == ["new 2.jpg", "old.jpg"]


def test_a_hint_of_what_is_no_photo_file_is_ignored(inbox: Path) -> None:
    (inbox / "folder.jpg").mkdir()
    os.mkfifo(inbox / "fifo.jpg")
    (inbox / "link.jpg").symlink_to("folder.jpg")
    write(inbox / ".hidden.jpg", b"x")
    with world(inbox) as one:
        for name in ("folder.jpg", "fifo.jpg", "link.jpg", ".hidden.jpg", "gone.jpg", "a.part"):
            one.intake.hint(inbox / name, Trigger.MOVED_IN)
        assert one.ready() == []
        assert one.intake.finished_once()


@pytest.mark.parametrize("announced", [False, True], ids=["found", "announced"])
def test_never_more_names_are_held_than_the_limit_and_each_of_ten_thousand_comes_once(
    inbox: Path, announced: bool
) -> None:
    names = {f"{number}.jpg" for number in range(10_000)}
    for name in names:
        os.mknod(inbox / name)
    with world(inbox, watch=False) as one:
        one.intake._watch = announced  # scans again, as a watch does, but without the kernel's hints
        one.intake._scanner._tend_watcher = lambda: None  # type: ignore[method-assign]
        if announced:
            for name in names:
                one.intake.hint(inbox / name, Trigger.MOVED_IN)
        got: list[str] = []
        for _ in range(2_000):
            photos = one.intake.ready(64, 0.0)
            assert one.intake._waiting() <= (2 if announced else 1) * MAX_WAITING
            got += [photo.path.name for photo in photos]
            for photo in photos:
                one.done(photo)
            if not photos:
                one.clock.turn(0.3)
            if len(got) >= len(names) and not photos:
                break
        assert len(got) == len(names)
        assert set(got) == names


def test_hints_beyond_what_the_queue_holds_are_made_good_by_a_scan_at_once(
    inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake_module, "MAX_WAITING", 8)
    with world(inbox, watch=True) as one:
        assert one.names(turns=1) == []
        names = [f"{number}.jpg" for number in range(100)]
        for name in names:
            one.intake.hint(write(inbox / name, b"x"), Trigger.CLOSED)
        got: list[str] = []
        while len(got) < 100 and one.clock.now_s < 1_000 + 100:
            photos = one.intake.ready(4, 0.0)
            got += [photo.path.name for photo in photos]
            for photo in photos:
                one.done(photo)
            one.clock.turn(0.0 if photos else 0.06)
        assert sorted(got) == sorted(names)


def test_an_overflow_brings_a_scan_without_waiting_for_its_time(inbox: Path) -> None:
    with world(inbox, watch=True) as one:
        one.ready(turns=1)
        before_s = one.clock.now_s
        one.intake._scanner._watcher.close()  # type: ignore[union-attr]  # so that only the scan can find it
        write(inbox / "missed.jpg", b"x")
        one.intake.hints_lost()
        assert one.names(turns=3, step_s=0.26) == ["missed.jpg"]
        assert one.clock.now_s - before_s < RESCAN_S


def test_what_no_hint_announced_is_found_by_the_next_scan(inbox: Path, tmp_path: Path) -> None:
    with world(inbox, watch=True) as one:
        one.ready(turns=1)
        os.link(write(tmp_path / "a.jpg", b"x"), inbox / "a.jpg")  # inotify says nothing that is listened to
        assert one.names(turns=3, step_s=0.1) == []
        one.clock.turn(RESCAN_S)
        assert one.names() == ["a.jpg"]


def test_a_photo_moved_in_is_handed_out_by_its_hint_with_the_clock_standing_still(inbox: Path, tmp_path: Path) -> None:
    with world(inbox, watch=True) as one:
        one.ready(turns=1)
        write(tmp_path / "a.jpg", b"x").rename(inbox / "a.jpg")
        photos = one.intake.ready(9, DEADLINE_S)
        assert [(photo.path.name, photo.found.announced) for photo in photos] == [("a.jpg", True)]


def test_a_new_file_under_the_name_of_one_under_way_is_handed_out_when_that_is_done(inbox: Path) -> None:
    with world(inbox) as one:
        one.intake.hint(write(inbox / "a.jpg", b"first"), Trigger.MOVED_IN)
        (first,) = one.ready(turns=1)
        write(inbox / "b", b"second").rename(inbox / "a.jpg")
        one.intake.hint(inbox / "a.jpg", Trigger.MOVED_IN)
        assert one.ready() == []
        first.filing.outcome = Outcome.FILED
        one.intake.done([first])
        (second,) = one.ready(turns=1)
        assert (second.path, second.found.identity.size, second.found.announced) == (first.path, 6, True)


def test_a_scan_does_not_wipe_out_the_hint_of_a_file_under_way(inbox: Path) -> None:
    with world(inbox, watch=True) as one:
        one.intake.hint(write(inbox / "a.jpg", b"first"), Trigger.MOVED_IN)
        (first,) = one.ready(turns=1)
        one.intake._scanner._watcher.close()  # type: ignore[union-attr]
        write(inbox / "a.jpg", b"another")
        one.intake.hint(inbox / "a.jpg", Trigger.CLOSED)
        one.ready(turns=2, step_s=RESCAN_S + 0.1)
        one.done(first, Outcome.GONE)
        assert one.ready(turns=1) == []
        one.clock.turn(0.06)
        (second,) = one.ready(turns=1)
        assert second.found.announced


def test_what_stays_is_handed_out_again_when_its_time_has_come_and_not_before(inbox: Path) -> None:
    write(inbox / "a.jpg", b"x")
    with world(inbox, watch=True) as one:
        (photo,) = one.ready()
        one.done(photo, Outcome.AGAIN, Reason.TRUNCATED)
        assert one.ready(turns=3, step_s=0.3) == []
        (again,) = one.ready(turns=20, step_s=0.3)
        assert again.found.waited_s >= 1.0
        assert photo.found.waited_s == 0.0


def test_what_is_left_is_handed_out_again_only_when_it_changes(inbox: Path) -> None:
    path = write(inbox / "notes.txt", b"x")
    with world(inbox, watch=True) as one:
        (photo,) = one.ready()
        one.done(photo, Outcome.LEFT, Reason.FOREIGN)
        assert one.ready(turns=30, step_s=1.0) == []
        write(path, b"now a photo")
        assert [photo.path for photo in one.ready(turns=30, step_s=1.0)] == [path]


@pytest.mark.parametrize("reason", [None, Reason.UNREADABLE])
def test_one_pass_ends_though_something_is_in_the_way(inbox: Path, reason: Reason | None) -> None:
    write(inbox / "a.jpg", b"x")
    with world(inbox) as one:
        tries = 0
        while not one.intake.finished_once():
            for photo in one.ready(turns=4):
                tries += 1
                one.done(photo, Outcome.AGAIN, reason)
            assert tries <= 3
        assert tries == 3


def test_one_pass_does_not_wait_for_a_photo_that_was_taken_away(inbox: Path) -> None:
    path = write(inbox / "a.jpg", b"x")
    with world(inbox) as one:
        (photo,) = one.ready()
        one.done(photo, Outcome.AGAIN, Reason.TRUNCATED)
        path.unlink()
        assert one.ready(turns=20, step_s=0.5) == []
        assert one.intake.finished_once()


def test_room_is_never_exceeded_and_nothing_is_dropped_for_lack_of_it(inbox: Path) -> None:
    for number in range(30):
        write(inbox / f"{number}.jpg", b"x")
    with world(inbox) as one:
        one.ready(room=0)
        assert [len(one.intake.ready(room, 0.0)) for room in (0, -3, 7, 20, 9, 9)] == [0, 0, 7, 20, 3, 0]


def test_an_inbox_that_vanishes_and_returns_is_said_once_each_and_healed(inbox: Path) -> None:
    with world(inbox, watch=True) as one:
        write(inbox / "before.jpg", b"x")
        assert one.names() == ["before.jpg"]
        shutil.rmtree(inbox)
        for _ in range(5):
            one.clock.turn(RESCAN_S)
            assert one.names(turns=3) == []
        assert one.said == [f"the inbox {inbox} cannot be read (No such file or directory); retrying every 2 s"]
        inbox.mkdir()
        write(inbox / "after.jpg", b"x")
        one.clock.turn(RESCAN_S)
        assert one.names() == ["after.jpg"]
        assert one.said[1:] == ["the inbox can be read again"]
        assert one.levels == [Level.WARNING, Level.NOTICE]
        assert one.intake._scanner._watcher is not None
        assert one.intake._scanner._watcher.is_well()


def test_a_wake_ends_the_wait_also_if_it_comes_before(inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookout_module, "RESCAN_S", 3600.0)
    with world(inbox, watch=True) as one:
        one.ready()
        one.intake.wake()
        assert one.intake.ready(1, 3600.0) == []
        later = threading.Timer(0.1, one.intake.wake)
        later.start()
        assert one.intake.ready(1, 3600.0) == []
        later.join()


def test_a_retry_looks_at_its_file_and_not_through_the_inbox(inbox: Path) -> None:
    write(inbox / "a.jpg", b"x")
    with world(inbox, watch=True) as one:
        (photo,) = one.ready()
        scans = one.intake._scanner.scans
        photo.filing.folder = photo.filing.waits_for = "sea"
        one.done(photo, Outcome.AGAIN)
        again = one.intake.ready(10, 0.0)
        one.clock.turn(1.0)
        for _ in range(3):
            again += one.intake.ready(10, 0.0)
            one.clock.turn(0.2)
        assert [retried.path for retried in again] == [photo.path]
        assert one.intake._scanner.scans == scans
        photo.path.unlink()
        one.done(again[0], Outcome.AGAIN)
        assert one.ready(turns=12) == []
        assert one.intake.blocked() == []


@pytest.mark.parametrize(("name", "wait_s"), [("a.jpg.aB3dE9", REST_S), ("a.jpg.tacitpart", STALE_S)])
def test_an_upload_is_left_alone_under_its_temporary_name_and_its_photo_is_handed_out_once_it_is_renamed(
    inbox: Path, name: str, wait_s: float
) -> None:
    with world(inbox, watch=True) as one:
        write(inbox / name, b"x")
        one.intake.hint(inbox / name, Trigger.CLOSED)
        assert one.names(turns=4) == []
        assert one.intake.troubles().notes[0].endswith(f"unfinished uploads: {name}")
        assert one.said == []
        assert one.names(turns=30, step_s=3.0) == []
        assert [said.endswith(name) for said in one.said] == [True]  # once
        one.clock.turn(RESCAN_S)
        one.names(turns=2, step_s=0.0)
        assert one.intake._pause_s(wait_s, 100) == RESCAN_S  # the file itself asks for no look
        (inbox / name).rename(inbox / "a.jpg")
        assert one.names(turns=30, step_s=3.0) == ["a.jpg"]
        assert one.intake.troubles().notes == ()
        assert len(one.said) == 1


@pytest.mark.parametrize(("name", "wait_s"), [("a.jpg.1", REST_S), ("a.jpg.part", STALE_S)])
def test_what_keeps_the_name_of_an_upload_is_handed_out_when_it_has_not_changed_for_long(
    inbox: Path, name: str, wait_s: float
) -> None:
    path = write(inbox / name, b"x", mtime_s=1.0)  # many programs give an unfinished file the time of the photo
    with world(inbox, watch=True) as one:
        one.clock.now_s = path.stat().st_ctime
        assert one.names() == []
        one.clock.turn(wait_s - 10.0)
        assert one.names() == []
        one.intake.hint(write(path, b"more", mtime_s=one.clock.now_s), Trigger.CLOSED)
        assert one.names() == []
        one.clock.turn(20.0)
        assert one.names() == []
        one.clock.turn(wait_s)
        assert one.names() == [name]
        assert one.intake.troubles().notes == ()


def test_one_pass_says_which_files_it_left_alone_as_uploads_and_takes_old_ones(inbox: Path) -> None:
    for number in range(5):
        path = write(inbox / f"{number}.jpg.Xy12", b"x")
    with world(inbox) as one:
        one.clock.now_s = path.stat().st_ctime
        assert one.names() == []
        assert one.intake.finished_once()
        (said,) = one.said
        assert said.count(".jpg.Xy12") == 3
        assert said.endswith(" and 2 more")
    with world(inbox) as one:
        one.clock.now_s = path.stat().st_ctime + REST_S
        assert len(one.names()) == 5
        assert one.said == []


def test_a_photo_that_is_appended_in_pieces_is_handed_out_whole(inbox: Path) -> None:
    pictures = [Image.new("RGB", (40, 40), colour) for colour in ("red", "green", "blue")]
    pictures[0].save(inbox / "whole.gif", save_all=True, append_images=pictures[1:])
    data, path = (inbox / "whole.gif").read_bytes(), inbox / "a.gif"
    (inbox / "whole.gif").unlink()
    with world(inbox, watch=True) as one:
        one.ready(turns=1)
        for place in range(0, len(data), 300):
            one.clock.now_s = time.time()  # the files' clock
            with path.open("ab") as file:
                file.write(data[place : place + 300])
            one.intake.hint(path, Trigger.CLOSED)
            got = one.ready(turns=10, step_s=0.1)
            assert bool(got) == (place + 300 >= len(data))
        assert got[0].found.identity.size == len(data)
        write(path, data[:-1])
        one.intake.hint(path, Trigger.CLOSED)
        one.intake.done(got)
        assert one.ready(turns=10, step_s=0.1) == []
        assert one.names(turns=10, step_s=0.6) == ["a.gif"]  # it is torn for ever, and judged as it is


@pytest.mark.parametrize("name", [".a.jpg.Xy12", "a.jpg.tacitpart", "a.part"])
def test_an_uploader_may_set_the_time_of_its_photo_by_the_new_name(inbox: Path, name: str) -> None:
    with world(inbox, watch=True) as one:
        one.ready(turns=1)
        write(inbox / name, b"x").rename(inbox / "a.jpg")
        wait_until(lambda: not one.intake.ready(9, 0.01) and inbox / "a.jpg" in one.intake._settler, "the new name")
        one.clock.turn(0.09)
        assert one.intake.ready(9, 0.0) == []
        os.utime(inbox / "a.jpg", (5.0, 5.0))
        one.clock.turn(0.09)
        assert one.intake.ready(9, 0.0) == []
        one.clock.turn(0.1)
        (photo,) = one.intake.ready(9, 0.0)
        assert (photo.path.name, photo.found.identity.mtime_ns, photo.found.announced) == ("a.jpg", 5_000_000_000, True)


def test_an_upload_that_changes_all_the_time_takes_no_more_memory(inbox: Path) -> None:
    unfinished = Unfinished()
    for number in range(1000):
        assert unfinished.rests(inbox / f"{number % 3}.jpg.part", identity(size=number), float(number), 0.0)
    assert len(unfinished._due) <= 2 * 3 + SPARE
    assert unfinished.due_s() >= 900.0 + STALE_S
    assert len(list(unfinished.due(1000.0 + STALE_S))) == 3


@pytest.mark.parametrize("passes", [0, 1, 99])
def test_nothing_is_taken_from_a_folder_that_is_mounted_over_the_inbox_between_its_check_and_its_listing(
    tmp_path: Path, passes: int
) -> None:
    write(tmp_path / "a.jpg", plain("red"), mtime_s=1.0)
    checks = 0

    def check() -> None:
        nonlocal checks
        checks += 1
        if checks > passes:
            raise MountMissingError("Something was mounted over the inbox.")

    world = World(tmp_path, watch=True, check=check)
    assert world.names() == (["a.jpg"] if passes == 99 else [])
    assert any("mounted over the inbox" in line for line in world.said) is (passes < 99)
    world.intake.close()
