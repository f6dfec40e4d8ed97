"""The kernel's hints come for what arrives, and a watch that is dead says so."""

import os
import queue
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from daemon.intake.filters import PathFilter
from daemon.intake.inotify import (
    IN_CLOSE_WRITE,
    IN_CREATE,
    IN_DELETE_SELF,
    IN_IGNORED,
    IN_MOVED_FROM,
    IN_MOVED_TO,
    IN_Q_OVERFLOW,
    Event,
)
from daemon.intake.settle import Trigger
from daemon.intake.watcher import Watcher, watch_fault
from tests.daemon.conftest import Stranger
from tests.daemon.support import DEADLINE_S, descriptors, wait_until, write

RAW = os.fsdecode(b"caf\xe9.jpg")


class Hints:
    """Keeps what the watcher reports."""

    def __init__(self) -> None:
        self.seen: queue.SimpleQueue[tuple[str, Trigger]] = queue.SimpleQueue()
        self.lost = 0

    def report(self, path: Path, sign: Trigger) -> None:
        self.seen.put((path.name, sign))

    def lose(self) -> None:
        self.lost += 1

    def until(self, name: str) -> list[tuple[str, Trigger]]:
        """Return the hints up to that of a file."""
        hints = [self.seen.get(timeout=DEADLINE_S)]
        while hints[-1][0] != name:
            hints.append(self.seen.get(timeout=DEADLINE_S))
        return hints


@contextmanager
def watched(inbox: Path) -> Iterator[tuple[Watcher, Hints]]:
    hints = Hints()
    watcher = Watcher(PathFilter(inbox), hints.report, hints.lose)
    try:
        yield watcher, hints
    finally:
        watcher.close()


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    (tmp_path / "inbox").mkdir()
    return tmp_path / "inbox"


def test_what_is_written_or_moved_in_is_announced_and_nothing_else(inbox: Path, tmp_path: Path) -> None:
    write(inbox / "there before.jpg", b"x")
    with watched(inbox) as (watcher, hints):
        write(inbox / "written.jpg", b"x")
        write(tmp_path / RAW, b"x").rename(inbox / RAW)
        write(tmp_path / "over", b"y").rename(inbox / "written.jpg")
        (inbox / "there before.jpg").rename(tmp_path / "moved out.jpg")
        (inbox / RAW).read_bytes()
        (inbox / RAW).chmod(0o600)
        (inbox / "folder.jpg").mkdir()
        write(inbox / "folder.jpg" / "inside.jpg", b"x")
        os.mkfifo(inbox / "fifo")
        (inbox / "link").symlink_to("written.jpg")
        (inbox / "written.jpg").unlink()
        write(inbox / ".upload", b"x").rename(inbox / "renamed.jpg")
        write(inbox / "last.jpg", b"x")
        assert [hint for hint in hints.until("last.jpg") if hint[0] != ".upload"] == [
            ("written.jpg", Trigger.CLOSED),
            (RAW, Trigger.MOVED_IN),
            ("written.jpg", Trigger.MOVED_IN),
            ("renamed.jpg", Trigger.RENAMED),
            ("last.jpg", Trigger.CLOSED),
        ]
        assert watcher.is_well()
        assert hints.lost == 0


def test_the_kernel_is_asked_for_no_more_than_is_used(inbox: Path) -> None:
    """By the kernel's own word. Each event that is moved out would wake the thread for nothing."""
    with watched(inbox) as (watcher, _):
        facts = Path(f"/proc/self/fdinfo/{watcher._descriptor._inotify._descriptor}").read_text()
        (mask,) = re.findall(r" mask:([0-9a-f]+)", facts)
        assert int(mask, 16) & 0xFFF == IN_CREATE | IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF


def test_a_real_overflow_of_the_kernels_queue_is_noticed(inbox: Path) -> None:
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    if limit > 100_000:
        pytest.skip(f"the kernel's queue of {limit} events takes too long to fill")
    with watched(inbox) as (watcher, hints):
        files = [os.open(inbox / name, os.O_WRONLY | os.O_CREAT) for name in ("a", "b")]
        with watcher._descriptor._lock:  # its thread reads once and then waits
            for number in range(limit + 16_384):
                os.close(os.open(inbox / "ab"[number % 2], os.O_WRONLY))
        wait_until(lambda: hints.lost > 0, "the overflow to be noticed")
        assert watcher.is_well()
        write(inbox / "later.jpg", b"x")
        assert hints.until("later.jpg")
        for descriptor in files:
            os.close(descriptor)


def test_an_overflow_event_asks_for_a_scan(inbox: Path) -> None:
    with watched(inbox) as (watcher, hints):
        watcher._descriptor.handle_event(Event(-1, IN_Q_OVERFLOW, b""))
        assert hints.lost == 1
        assert watcher.is_well()


def removed(inbox: Path) -> None:
    shutil.rmtree(inbox)


def removed_and_made_again(inbox: Path) -> None:
    shutil.rmtree(inbox)
    inbox.mkdir()


def moved_away(inbox: Path) -> None:
    inbox.rename(inbox.with_name("elsewhere"))


def exchanged(inbox: Path) -> None:
    inbox.rename(inbox.with_name("elsewhere"))
    inbox.mkdir()


def now_a_file(inbox: Path) -> None:
    inbox.rmdir()
    inbox.touch()


@pytest.mark.parametrize("change", [removed, removed_and_made_again, moved_away, exchanged, now_a_file])
def test_a_watch_whose_folder_is_no_longer_at_the_path_is_not_well(inbox: Path, change: Callable[[Path], None]) -> None:
    with watched(inbox) as (watcher, _):
        assert watcher.is_well()
        change(inbox)
        wait_until(lambda: not watcher.is_well(), "the watch to be dead")


def test_a_watch_that_the_kernel_took_away_is_not_well_though_the_same_folder_stands_there(inbox: Path) -> None:
    """As after an unmount and a mount again: same device, same inode, threads alive, and no hint ever."""
    with watched(inbox) as (watcher, hints):
        (watch,) = watcher._descriptor._folders
        watcher._descriptor.handle_event(Event(watch, IN_IGNORED, b""))
        assert not watcher.is_well()
        assert hints.lost == 1


def test_threads_end_and_no_descriptor_is_left_however_often_it_is_opened(inbox: Path) -> None:
    with watched(inbox):
        pass
    before = descriptors()
    for number in range(20):
        with watched(inbox) as (_, hints):
            write(inbox / f"{number}.jpg", b"x")
            hints.until(f"{number}.jpg")
        with pytest.raises(FileNotFoundError):
            Watcher(PathFilter(inbox / "gone"), hints.report, hints.lose)
    removed_and_made_again(inbox)
    assert descriptors() == before


def test_a_close_right_after_the_folder_vanished_ends_too(inbox: Path) -> None:
    before = descriptors()
    for _ in range(5):
        with watched(inbox):
            removed_and_made_again(inbox)
    assert descriptors() == before


def test_a_folder_that_may_not_be_watched_is_said_and_not_taken_for_a_quiet_one(stranger: Stranger) -> None:
    stranger.folder.chmod(0o300)
    script = "from daemon.intake.filters import PathFilter\nfrom daemon.intake.watcher import Watcher\n"
    script += f"Watcher(PathFilter(Path({str(stranger.folder)!r})), print, print)"
    done = stranger.python(script)
    stranger.folder.chmod(0o755)
    assert "PermissionError" in done.stderr


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(28, "inotify watch limit reached"), "sysctl fs.inotify.max_user_watches="),
        (OSError(24, "inotify instance limit reached"), "max_user_instances="),
        (
            OSError(13, "Permission denied"),
            "cannot be watched (Permission denied), so only scans find new photos",
        ),
    ],
)
def test_each_fault_names_its_cure(error: OSError, words: str) -> None:
    assert words in watch_fault(error)
