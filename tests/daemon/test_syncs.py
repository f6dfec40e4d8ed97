"""What is owed to the disk is synced once a round, several at a time where there is much, and owed until it is done."""

import errno
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from daemon.files import sync as syncs_module
from daemon.files.sync import FEW, TOGETHER, Syncs
from daemon.filing import move as filing
from tests.daemon.conftest import Stranger
from tests.daemon.support import write


def owed(folder: Path, count: int) -> Syncs:
    syncs = Syncs()
    for number in range(count):
        syncs.add_file(write(folder / f"{number}.jpg", b"x"))
        syncs.add_folder(folder)
    return syncs


@pytest.mark.parametrize("count", [FEW - 1, 10 * FEW])
def test_each_file_and_folder_is_synced_once_and_what_is_gone_is_none_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    done: list[str] = []
    for name in ("sync_file", "sync_folder"):
        real = getattr(syncs_module, name)

        def noting(path: str, real: Callable[[str], None] = real) -> None:
            real(path)
            done.append(path)

        monkeypatch.setattr(syncs_module, name, noting)
    syncs = owed(tmp_path, count)
    syncs.add_file(tmp_path / "gone.jpg")
    syncs.add_folder(tmp_path / "gone")
    syncs.flush()
    assert sorted(done) == sorted([str(tmp_path), *(str(tmp_path / f"{number}.jpg") for number in range(count))])
    syncs.flush()
    assert len(done) == count + 1


def test_many_wait_for_the_disk_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = threading.Barrier(TOGETHER, timeout=60.0)
    monkeypatch.setattr(syncs_module, "sync_file", lambda _: at_once.wait())
    owed(tmp_path, TOGETHER * FEW).flush()


@pytest.mark.parametrize("count", [1, 10 * FEW])
def test_what_could_not_be_synced_stays_owed_until_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    syncs, done = owed(tmp_path, count), set[str]()
    broken = str(tmp_path / "0.jpg")

    def failing(path: str) -> None:
        if path == broken:
            raise OSError(errno.EIO, "the disk is broken")
        done.add(path)

    monkeypatch.setattr(syncs_module, "sync_file", failing)
    for _ in range(2):
        with pytest.raises(OSError, match="the disk is broken"):
            syncs.flush()
    monkeypatch.setattr(syncs_module, "sync_file", done.add)
    syncs.flush()
    assert done == {str(tmp_path / f"{number}.jpg") for number in range(count)}


def test_a_helper_without_memory_leaves_nothing_unsaid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    helpers_turn = threading.Event()

    def failing(_: str) -> None:
        if threading.current_thread() is threading.main_thread():
            helpers_turn.wait(60.0)
            return
        helpers_turn.set()
        raise MemoryError

    syncs = owed(tmp_path, 10 * FEW)
    monkeypatch.setattr(syncs_module, "sync_file", failing)
    with pytest.raises(MemoryError):
        syncs.flush()


def test_without_more_threads_it_is_done_by_those_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    done = set[str]()
    syncs = owed(tmp_path, 10 * FEW)
    monkeypatch.setattr(syncs_module, "sync_file", done.add)
    monkeypatch.setattr(threading.Thread, "start", refused)
    syncs.flush()
    assert len(done) == 10 * FEW


def test_a_link_in_the_place_of_what_was_filed_is_its_owners_and_owes_nothing(tmp_path: Path) -> None:
    """git-annex puts one there as soon as a photo comes; it would else hold up all filing for ever."""
    syncs = owed(tmp_path, 1)
    (tmp_path / "0.jpg").rename(tmp_path / "object")
    (tmp_path / "0.jpg").symlink_to("object")
    syncs.flush()


CLOSED = """
from daemon.files.sync import Syncs
syncs = Syncs()
syncs.add_file({file!r})
syncs.add_folder({folder!r})
syncs.flush()
syncs.flush()
"""


def test_who_closes_a_photo_or_a_folder_after_it_was_filed_holds_up_nothing(stranger: Stranger) -> None:
    folder = stranger.folder / "closed"
    folder.mkdir()
    write(folder / "0.jpg", b"x").chmod(0)
    folder.chmod(0o300)
    done = stranger.python(CLOSED.format(file=str(folder / "0.jpg"), folder=str(folder)))
    assert done.returncode == 0, done.stderr


def test_a_link_in_a_photos_place_is_not_followed_and_counts_as_taken(tmp_path: Path) -> None:
    link = tmp_path / "photo.jpg"
    link.symlink_to(tmp_path / "nowhere")  # following it would raise
    filing.sync_file(link)
    with pytest.raises(FileNotFoundError):
        filing.sync_file(tmp_path / "nowhere")
