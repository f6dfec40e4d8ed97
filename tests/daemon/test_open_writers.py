"""A photo that a program holds open for writing is left alone until it is closed, however long nothing is written."""

import fcntl
import mmap
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from common.errors import Reason
from daemon.files.open_writers import HELD, OpenWriterError, is_held_open, is_open_for_writing
from daemon.filing import move as filing
from daemon.filing.move import move
from daemon.intake.creations import LINK_S, Creations
from daemon.intake.filters import PathFilter
from daemon.intake.inbox_mounts import survey
from daemon.intake.intake import Intake
from daemon.intake.watcher import Watcher
from daemon.photo import Mode, Outcome, Photo
from daemon.process.log_level import unsaid
from daemon.status.monitor import Monitor, Sources
from daemon.status.snapshot_parts import HeldFile, HeldFiles
from daemon.status.table import table
from tests.daemon.house import House, ask, told
from tests.daemon.support import (
    HandClock,
    daemon,
    digest,
    faulty,
    identity_of,
    model_file,
    opened_filer,
    plain,
    roots,
    run,
    scored,
    tree,
    wait_until,
    write,
)

RED = plain("red")


@contextmanager
def half_written(path: Path) -> Iterator[IO[bytes]]:
    """A whole JPEG, and behind it a film that is still to come."""
    with path.open("ab", buffering=0) as file:
        file.write(RED)
        yield file


def test_a_file_is_held_open_while_somebody_may_write_to_it_and_no_lease_is_kept(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jpg", RED)
    assert is_held_open(path) is False
    with path.open("rb") as reader:
        assert is_held_open(path) is False
        assert is_open_for_writing(reader.fileno()) is False
        assert fcntl.fcntl(reader.fileno(), fcntl.F_GETLEASE) == fcntl.F_UNLCK
    with path.open("r+b") as writer:
        assert is_held_open(path) is True
        mapped = mmap.mmap(writer.fileno(), 0)
    assert is_held_open(path) is True  # closed, and written through memory still
    mapped.close()
    assert is_held_open(path) is False
    assert is_held_open(tmp_path / "not there") is None


def test_a_writer_that_comes_while_the_kernel_is_asked_does_not_end_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, real, broken = write(tmp_path / "a.jpg", RED), fcntl.fcntl, list[int]()
    before = signal.signal(signal.SIGURG, lambda number, _: broken.append(number))

    def ask_kernel(descriptor: int, command: int, argument: int) -> object:
        if (command, argument) == (fcntl.F_SETLEASE, fcntl.F_UNLCK):
            with pytest.raises(BlockingIOError):
                os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        return real(descriptor, command, argument)

    monkeypatch.setattr(fcntl, "fcntl", ask_kernel)
    try:
        assert is_held_open(path) is False
    finally:
        signal.signal(signal.SIGURG, before)
    assert broken == [signal.SIGURG]


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("fails", [False, True], ids=["photo", "one that cannot be read"])
def test_what_is_held_open_is_neither_filed_nor_failed_until_it_is_closed(
    tmp_path: Path, mode: Mode, fails: bool
) -> None:
    inbox, output = roots(tmp_path)
    path = inbox / "a.jpg"

    def judged() -> Photo:
        return faulty(path, Reason.TRUNCATED) if fails else scored(path)

    with opened_filer(output, tmp_path / "l", mode=mode) as filer:
        with half_written(path):
            photo = judged()
            filer.file([photo])
            assert (photo.filing.outcome, photo.filing.reason, photo.filing.destination) == (Outcome.AGAIN, HELD, None)
            assert not filer.pause.reason
            assert tree(output) == {}
            assert tree(inbox) == {"a.jpg": RED}
        photo = judged()
        filer.file([photo])
    assert photo.filing.outcome is (Outcome.FAILED if fails else Outcome.FILED)
    assert photo.filing.destination is not None
    assert photo.filing.destination.read_bytes() == RED


def test_what_is_opened_while_it_is_copied_to_another_file_system_stays_whole(
    tmp_path: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, late = write(tmp_path / "a.jpg", RED), b"the film"
    opened: list[IO[bytes]] = []
    real = filing.sync_directory  # type: ignore[attr-defined]

    def sync(folder: Path) -> None:
        opened.append(path.open("ab", buffering=0))
        real(folder)

    monkeypatch.setattr(filing, "sync_directory", sync)
    with pytest.raises(OpenWriterError):
        move(path, identity_of(path), digest(RED), elsewhere / "a.jpg")
    opened[0].write(late)
    opened[0].close()
    assert path.read_bytes() == RED + late
    assert tree(elsewhere) == {}


def test_undo_leaves_a_filed_photo_that_an_editor_holds_open(tmp_path: Path) -> None:
    house = House(tmp_path / "house")
    filed = house.file("a.jpg")
    with filed.open("r+b"):
        result = ask("undo", "--inbox", house.inbox, "--last", "1")
        assert result.exit_code == 1
        assert HELD in " ".join(result.output.split())
        assert filed.exists()
    assert ask("undo", "--inbox", house.inbox, "--last", "1").exit_code == 0
    assert set(tree(house.inbox)) == {"a.jpg"}


@contextmanager
def intake(inbox: Path, clock: HandClock) -> Iterator[Intake]:
    one = Intake(PathFilter(inbox), clock, unsaid, watch=True)  # type: ignore[arg-type]
    try:
        yield one
    finally:
        one.close()


def ready(one: Intake, clock: HandClock, turns: int = 30) -> list[str]:
    names: list[str] = []
    for _ in range(turns):
        names += [photo.path.name for photo in one.ready(10, 0.0)]
        clock.turn(0.3)
    return names


@pytest.fixture(params=["the kernel tells", "the kernel does not tell"])
def who_knows(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Own files, and those of others, where announcements have to tell."""
    if request.param == "the kernel does not tell":
        monkeypatch.setattr("daemon.files.open_writers.is_open_for_writing", lambda _: None)
    return str(request.param)


@pytest.mark.usefixtures("who_knows")
def test_the_intake_hands_out_what_was_held_open_once_it_is_closed_and_names_it_until_then(tmp_path: Path) -> None:
    inbox, clock = tmp_path / "inbox", HandClock()
    inbox.mkdir()
    with intake(inbox, clock) as one:
        assert ready(one, clock) == []
        with half_written(inbox / "a.jpg") as writer:
            watcher = one._scanner._watcher
            assert watcher is not None
            wait_until(lambda: inbox / "a.jpg" in watcher.creations._created, "its creation to be announced")
            assert ready(one, clock) == []
            assert list(one.held_open()) == [inbox / "a.jpg"]
            assert one.waiting([]).photos == 1
            write(inbox / "another.jpg", RED)
            wait_until(lambda: ready(one, clock, 1) == ["another.jpg"], "what is not held open")
            clock.turn(3600.0)
            writer.write(b"more")
            assert ready(one, clock) == []
        wait_until(lambda: ready(one, clock, 1) == ["a.jpg"], "the file to be closed")
        assert one.held_open() == {}


def test_of_photos_that_wait_for_one_place_another_is_tried_while_the_first_is_held_open(tmp_path: Path) -> None:
    inbox, clock = tmp_path / "inbox", HandClock()
    inbox.mkdir()
    paths = [write(inbox / f"{name}.jpg", RED, mtime_s=1e9) for name in "abc"]
    with intake(inbox, clock) as one:
        photos: list[Photo] = []
        while len(photos) < len(paths):
            photos += one.ready(10, 0.1)
            clock.turn(0.3)
        for photo in photos:
            photo.filing.outcome, photo.filing.folder, photo.filing.waits_for = Outcome.AGAIN, "sea", "sea"
        one.done(photos)
        first, second, _ = (photo.path.name for photo in photos)
        with (inbox / first).open("r+b"):
            assert ready(one, clock) == [second]
        assert [blocked.photos for blocked in one.blocked()] == [2]


def test_a_close_is_not_waited_for_longer_than_a_moment(tmp_path: Path) -> None:
    inbox, clock = tmp_path / "inbox", HandClock()
    inbox.mkdir()
    with intake(inbox, clock) as one:
        with half_written(inbox / "a.jpg"):
            ready(one, clock, 100)
            before_s = clock.now_s
        wait_until(lambda: len(one._notes) > 0, "the close to be announced")
        assert one.ready(10, 0.0) == []
        clock.turn(0.06)
        (photo,) = one.ready(10, 0.0)
        assert clock.now_s - before_s == pytest.approx(0.06)
        assert photo.found.announced


def test_one_pass_leaves_it_to_the_filer_and_ends(tmp_path: Path) -> None:
    inbox, clock = tmp_path / "inbox", HandClock()
    inbox.mkdir()
    one = Intake(PathFilter(inbox), clock, unsaid, watch=False)  # type: ignore[arg-type]
    with half_written(inbox / "a.jpg"):
        assert ready(one, clock) == ["a.jpg"]


class Inbox:
    """A watched inbox, and what is known of creations in it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.other = folder / "inbox", folder / "other"
        self.folder.mkdir()
        self.other.mkdir()
        self.path = self.folder / "a.jpg"
        self.announced: list[str] = []
        path_filter = PathFilter(self.folder)
        self.watcher = Watcher(path_filter, lambda path, _: self.announced.append(path.name), lambda: None)
        self.creations = self.watcher.creations

    def is_open(self) -> bool:
        """Tell it once all that happened has been announced."""
        write(self.folder / "last", b"")
        wait_until(lambda: "last" in self.announced, "the last announcement")
        self.announced.clear()
        return self.creations.is_open(self.path, on_share=False)


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Inbox]:
    one = Inbox(tmp_path)
    yield one
    one.watcher.close()


def test_what_was_created_and_not_closed_counts_as_open_until_it_is(watched: Inbox) -> None:
    with half_written(watched.path) as writer:
        assert watched.is_open()
        writer.write(b"more")
        assert watched.is_open()
    assert not watched.is_open()
    with watched.path.open("ab"):
        assert not watched.is_open()  # nobody announced it: opened, not created


@pytest.mark.parametrize("name", [".a.jpg.Xy12", "a.jpg.part", "old.jpg"])
def test_what_got_another_name_while_it_was_written_counts_as_open_until_it_is_closed(
    watched: Inbox, name: str
) -> None:
    first = watched.folder / name
    with half_written(first) as writer:
        settled(first)
        first.rename(watched.path)
        assert watched.is_open()
        settled(watched.path)
        writer.write(b"more")
        assert watched.is_open()
        assert not watched.creations.is_open(first, on_share=False)
    assert not watched.is_open()


def test_what_was_renamed_while_it_was_written_is_open_for_ever_only_if_it_was_written_since(tmp_path: Path) -> None:
    clock = HandClock(write(tmp_path / "a.jpg", RED).stat().st_mtime)
    creations = Creations(clock.wall_s)
    for name, made_later_s in (("a.jpg", 0.0), ("b.jpg", -1.0)):
        write(tmp_path / name, RED)
        clock.now_s = (tmp_path / name).stat().st_mtime + made_later_s
        creations.created(tmp_path / "first")
        creations.moved_from(tmp_path / "first", 7)
        creations.moved_to(tmp_path / name, 7)
        (tmp_path / name).chmod(0o600)  # like the new name, this changes the time of change alone
    for waits_s, known in ((0.0, [True, True]), (LINK_S + 2.0, [False, True])):
        clock.turn(waits_s)
        assert [creations.is_open(tmp_path / name, on_share=False) for name in ("a.jpg", "b.jpg")] == known


def hard_link(inbox: Inbox) -> None:
    os.link(write(inbox.other / "b", RED), inbox.path)


def link_and_unlink(inbox: Inbox) -> None:
    """As a server renames that must not overwrite."""
    hidden = write(inbox.folder / ".a.filepart", RED)
    settled(hidden)
    os.link(hidden, inbox.path)
    hidden.unlink()


def unnamed_then_linked(inbox: Inbox) -> None:
    descriptor = os.open(inbox.folder, os.O_TMPFILE | os.O_WRONLY)
    os.write(descriptor, RED)
    os.link(f"/proc/self/fd/{descriptor}", inbox.path, src_dir_fd=descriptor, follow_symlinks=True)
    os.close(descriptor)


def replaced(inbox: Inbox) -> None:
    inbox.path.touch()
    write(inbox.other / "b", RED).rename(inbox.path)


def settled(path: Path) -> None:
    """Make sure that what changes it from now on has another time."""
    wait_until(lambda: write(path.with_name(".clock"), b"").stat().st_mtime_ns > path.stat().st_mtime_ns, "the clock")


@pytest.mark.parametrize("arrive", [hard_link, link_and_unlink, unnamed_then_linked, replaced])
def test_what_was_linked_or_moved_in_does_not_count_as_open(watched: Inbox, arrive: object) -> None:
    assert callable(arrive)
    arrive(watched)
    assert not watched.is_open()
    assert watched.path.read_bytes() == RED


def test_nothing_is_known_once_announcements_were_lost(watched: Inbox) -> None:
    with half_written(watched.path):
        assert watched.is_open()
        watched.creations.forget()
        assert not watched.is_open()


def test_what_may_be_a_link_is_let_go_after_ten_minutes_and_what_was_written_later_never(tmp_path: Path) -> None:
    clock = HandClock(write(tmp_path / "a.jpg", RED).stat().st_mtime)
    creations = Creations(clock.wall_s)
    for name, made_later_s in (("a.jpg", 0.0), ("b.jpg", -1.0)):
        write(tmp_path / name, RED)
        clock.now_s = (tmp_path / name).stat().st_mtime + made_later_s
        creations.created(tmp_path / name)

    def known() -> list[bool]:
        return [creations.is_open(tmp_path / name, on_share=False) for name in ("a.jpg", "b.jpg")]

    assert known() == [True, True]
    clock.turn(LINK_S + 2.0)
    assert known() == [False, True]


def test_status_names_what_is_held_open_longest() -> None:
    clock = HandClock()
    monitor = Monitor(clock)  # type: ignore[arg-type]
    assert monitor.snapshot().held_open == HeldFiles()
    assert "held open" not in table(monitor.snapshot())
    held = {Path(f"/in/{number}.jpg"): clock.now_s - 60.0 * number for number in range(7)}
    monitor.sources = Sources(held_open=lambda: held)
    assert monitor.snapshot().held_open.files == 7
    assert monitor.snapshot().held_open.longest[0] == HeldFile("/in/6.jpg", 360.0)
    (line,) = [line for line in table(monitor.snapshot()).splitlines() if "held open" in line]
    assert "/in/6.jpg for 6 min, /in/5.jpg for 5 min" in line
    assert line.endswith("and 2 more")
    assert "/in/1.jpg" not in line


@pytest.mark.parametrize("far", [False, True], ids=["one file system", "two file systems"])
def test_an_upload_that_stalls_is_filed_whole_and_status_names_it_meanwhile(
    tmp_path: Path, request: pytest.FixtureRequest, far: bool
) -> None:
    inbox, output = tmp_path / "in", request.getfixturevalue("elsewhere") if far else tmp_path / "out"
    inbox.mkdir()
    options = ("--inbox", inbox, "--output", output, "--model", model_file(tmp_path), "--give-up-after", "0.1")
    with daemon(*options) as running, half_written(inbox / "a.jpg") as writer:
        running.ready()

        def named() -> list[str]:
            (facts,) = told("status", "--inbox", inbox)
            return [one["path"] for one in facts["held_open"]["longest"]]

        wait_until(lambda: named() == [str(inbox / "a.jpg")], "status to name it")
        writer.write(b"the film")
        writer.close()
        assert running.photos({"a.jpg"})["a.jpg"]["outcome"] == "filed"
    assert tree(inbox) == {}
    assert tree(output) == {"red/a.jpg": RED + b"the film"}
    assert ask("undo", "--inbox", inbox, "--last", "1").exit_code == 0
    assert tree(inbox) == {"a.jpg": RED + b"the film"}


def test_one_pass_names_what_another_program_has_a_lease_on(tmp_path: Path) -> None:
    inbox, _ = roots(tmp_path)
    path = write(inbox / "a.jpg", RED, mtime_s=1e9)
    break_asked = signal.signal(signal.SIGIO, lambda *_: None)
    with path.open("r+b") as holder:
        fcntl.fcntl(holder.fileno(), fcntl.F_SETLEASE, fcntl.F_WRLCK)
        done = run("sort", "--inbox", inbox, "--output", tmp_path / "out", "--model", model_file(tmp_path))
    signal.signal(signal.SIGIO, break_asked)
    assert done.returncode == 1
    assert done.stdout == f"a.jpg stays in the inbox for now: {HELD}\n"


def test_subvolumes_of_one_mount_are_far_from_each_other(tmp_path: Path) -> None:
    inbox, output = roots(tmp_path)
    (output / "red").mkdir()
    here = survey(inbox, output, recursive=False, events_unreliable=False)
    device = inbox.stat().st_dev
    assert here.devices == {device}
    assert not here.slow_settle(inbox, device)
    assert here.slow_settle(inbox, device + 1)
    assert here._replace(devices=frozenset((device, device + 1))).slow_settle(inbox, device)
