"""A move carries the whole file or nothing, on one file system and across two."""

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from common.publish import sync_directory
from daemon.files.identity import Identity, look_at
from daemon.files.rename import publish, rename_noreplace
from daemon.filing import move as filing
from daemon.filing.move import SourceChangedError, temporary_beside
from tests.daemon.conftest import Stranger
from tests.daemon.support import digest, identity_of, plain, tree, write

PHOTO = plain("red")


def move(source: Path, identity: Identity, sha256: str, target: Path) -> None:
    """Move, and remove the hidden name of a copy as is done once its outcome is in the ledger."""
    hidden = filing.move(source, identity, sha256, target).hidden
    if hidden is not None:
        hidden.unlink()


@pytest.fixture(params=["same file system", "another file system"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Where the photo goes: beside the inbox, or in memory."""
    folder: Path = tmp_path / "red"
    if request.param == "another file system":
        folder = request.getfixturevalue("elsewhere") / "red"
    folder.mkdir()
    return folder / "a.jpg"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "inbox").mkdir()
    return write(tmp_path / "inbox" / "a.jpg", PHOTO)


def test_content_mode_time_and_attributes_are_kept(source: Path, target: Path) -> None:
    source.chmod(0o640)
    os.utime(source, ns=(1_600_000_000_123_456_789, 1_500_000_000_987_654_321))
    attributes = _attributes(source, target.parent)
    move(source, identity_of(source), digest(PHOTO), target)
    status = target.stat()
    assert target.read_bytes() == PHOTO
    assert (status.st_mode & 0o7777, status.st_mtime_ns) == (0o640, 1_500_000_000_987_654_321)
    assert {name: os.getxattr(target, name) for name in attributes} == attributes
    assert tree(source.parent) == {}
    assert list(target.parent.iterdir()) == [target]


def _attributes(source: Path, folder: Path) -> dict[str, bytes]:
    probe = folder / "probe"
    probe.touch()
    try:
        for path in (source, probe):
            os.setxattr(path, "user.rating", b"5")
    except OSError:
        return {}  # a file system without them
    finally:
        probe.unlink()
    return {"user.rating": b"5"}


def test_a_copy_across_file_systems_keeps_its_hidden_name_until_its_outcome_is_written(
    source: Path, target: Path
) -> None:
    expected = temporary_beside(target, source, identity_of(source))
    across = source.stat().st_dev != target.parent.stat().st_dev
    hidden = filing.move(source, identity_of(source), digest(PHOTO), target).hidden
    assert hidden == (expected if across else None)
    assert hidden is None or hidden.samefile(target)


def test_a_taken_target_is_left_alone_and_so_is_the_source(source: Path, target: Path) -> None:
    target.write_bytes(b"theirs")
    with pytest.raises(FileExistsError):
        move(source, identity_of(source), digest(PHOTO), target)
    assert tree(source.parent) == {"a.jpg": PHOTO}
    assert tree(target.parent) == {"a.jpg": b"theirs"}


def rewritten(source: Path) -> None:
    source.write_bytes(b"another, of another length")


def replaced(source: Path) -> None:
    write(source.with_name("new"), PHOTO).rename(source)


def touched(source: Path) -> None:
    os.utime(source, ns=(1, 1))


def linked(source: Path) -> None:
    source.rename(source.with_name("original"))
    source.symlink_to("original")


def turned_into_a_fifo(source: Path) -> None:
    source.unlink()
    os.mkfifo(source)


changes = pytest.mark.parametrize("change", [rewritten, replaced, touched, linked, turned_into_a_fifo])


@changes
def test_another_file_under_the_name_stays_where_it_is(
    source: Path, target: Path, change: Callable[[Path], None]
) -> None:
    identity = identity_of(source)
    change(source)
    before = tree(source.parent)
    with pytest.raises(SourceChangedError):
        move(source, identity, digest(PHOTO), target)
    assert tree(source.parent) == before
    assert tree(target.parent) == {}


def test_a_source_that_is_gone_has_changed(source: Path, target: Path) -> None:
    identity = identity_of(source)
    source.unlink()
    with pytest.raises(SourceChangedError):
        move(source, identity, digest(PHOTO), target)
    assert tree(target.parent) == {}


def meddle_after_the_look(monkeypatch: pytest.MonkeyPatch, source: Path, meddle: Callable[[], object]) -> None:
    """Let somebody act between the first look at the source and what follows."""
    real = look_at
    looks: list[Path] = []

    def meddled(path: Path) -> Identity | None:
        seen = real(path)
        if path == source and not looks:
            looks.append(path)
            meddle()
        return seen

    monkeypatch.setattr(filing, "look_at", meddled)


@pytest.mark.parametrize("change", [rewritten, replaced, touched])
def test_a_file_that_slips_in_between_look_and_rename_is_put_back(
    source: Path, target: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None]
) -> None:
    identity = identity_of(source)
    meddle_after_the_look(monkeypatch, source, lambda: change(source))
    with pytest.raises(SourceChangedError):
        move(source, identity, digest(PHOTO), target)
    assert list(tree(source.parent)) == ["a.jpg"]
    assert tree(target.parent) == {}


def test_what_is_taken_from_the_class_folder_at_once_was_filed(
    source: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a million photos that a program waited for there, 88 were missing in the ledger."""

    def losing(real: Callable[[Path, Path], object]) -> Callable[[Path, Path], object]:
        def step(source: Path, target: Path) -> object:
            result = real(source, target)
            target.rename(target.with_name("taken further"))
            return result

        return step

    monkeypatch.setattr(filing, "rename_noreplace", losing(rename_noreplace))
    monkeypatch.setattr(filing, "publish", losing(publish))
    move(source, identity_of(source), digest(PHOTO), target)
    assert tree(target.parent) == {"taken further": PHOTO}


def test_what_is_put_back_overwrites_nothing_that_came_meanwhile(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = source.parent.parent / "a.jpg"
    identity = identity_of(source)
    meddle_after_the_look(monkeypatch, source, lambda: source.write_bytes(b"slipped in"))
    real, puts = filing.free_name, list[Path]()  # type: ignore[attr-defined]

    def free_name(folder: Path, name: str, *_: object) -> Path:
        """Choose a name, and let somebody take it at the last moment, the first two times."""
        path = real(folder, name)
        if len(puts) < 2:
            path.write_bytes(f"later {len(puts)}".encode())
        puts.append(path)
        return path

    monkeypatch.setattr(filing, "free_name", free_name)
    with pytest.raises(SourceChangedError):
        move(source, identity, digest(PHOTO), target)
    assert tree(source.parent) == {"a.jpg": b"later 0", "a-1.jpg": b"later 1", "a-2.jpg": b"slipped in"}
    assert not target.exists()


def test_a_copy_that_differs_from_what_was_classified_is_not_published(source: Path, elsewhere: Path) -> None:
    with pytest.raises(SourceChangedError):
        move(source, identity_of(source), digest(b"something else"), elsewhere / "a.jpg")
    assert tree(source.parent) == {"a.jpg": PHOTO}
    assert tree(elsewhere) == {}


def test_a_photo_without_a_hash_crosses_file_systems_too(source: Path, elsewhere: Path) -> None:
    move(source, identity_of(source), "", elsewhere / "a.jpg")
    assert tree(elsewhere) == {"a.jpg": PHOTO}
    assert tree(source.parent) == {}


def test_the_rest_of_an_interrupted_copy_does_not_hinder_the_next(source: Path, elsewhere: Path) -> None:
    temporary_beside(elsewhere / "a.jpg", source, identity_of(source)).write_bytes(b"half")
    move(source, identity_of(source), digest(PHOTO), elsewhere / "a.jpg")
    assert tree(elsewhere) == {"a.jpg": PHOTO}


def test_the_longest_name_crosses_file_systems(source: Path, elsewhere: Path) -> None:
    longest = source.rename(source.with_name("x" * 251 + ".jpg"))
    move(longest, identity_of(longest), digest(PHOTO), elsewhere / longest.name)
    assert tree(elsewhere) == {longest.name: PHOTO}


@pytest.mark.parametrize("step", ["publish", "sync_directory", "sha256_of"])
def test_a_copy_that_fails_at_any_step_leaves_no_rest(
    source: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def failing(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(filing, step, failing)
    with pytest.raises(OSError, match="Input/output"):
        move(source, identity_of(source), digest(PHOTO), elsewhere / "a.jpg")
    assert tree(source.parent) == {"a.jpg": PHOTO}
    assert tree(elsewhere) == {}


def test_a_source_that_changes_while_it_is_copied_stays_and_its_old_copy_goes(
    source: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = sync_directory

    def late(folder: Path) -> None:
        real(folder)
        source.write_bytes(b"newer")

    monkeypatch.setattr(filing, "sync_directory", late)
    with pytest.raises(SourceChangedError):
        move(source, identity_of(source), digest(PHOTO), elsewhere / "a.jpg")
    assert tree(source.parent) == {"a.jpg": b"newer"}
    assert tree(elsewhere) == {}


def test_an_inbox_that_lets_nothing_go_gets_no_copies_elsewhere(stranger: Stranger, elsewhere: Path) -> None:
    inbox = stranger.folder / "inbox"
    inbox.mkdir()
    write(inbox / "a.jpg", PHOTO)
    inbox.chmod(0o555)
    source, target = str(inbox / "a.jpg"), str(elsewhere / "a.jpg")
    done = stranger.python(
        "from daemon.filing.move import move; from daemon.photo import Identity; "
        f"s = Path({source!r}); move(s, Identity.of(s.stat()), {digest(PHOTO)!r}, Path({target!r}))"
    )
    assert "PermissionError" in done.stderr
    assert tree(inbox) == {"a.jpg": PHOTO}
    assert tree(elsewhere) == {}


def test_two_movers_to_one_name_leave_both_photos(tmp_path: Path, target: Path) -> None:
    inbox = tmp_path / "many"
    inbox.mkdir()
    photos = {f"{number}.jpg": PHOTO + b"%d" % number for number in range(8)}
    taken: list[str] = []

    def take(name: str) -> None:
        path = inbox / name
        try:
            move(path, identity_of(path), digest(photos[name]), target)
        except FileExistsError:
            taken.append(name)

    for name, data in photos.items():
        write(inbox / name, data)
    threads = [threading.Thread(target=take, args=(name,)) for name in photos]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 7
    (winner,) = set(photos) - set(taken)
    assert tree(inbox) == {name: photos[name] for name in taken}
    assert tree(target.parent) == {"a.jpg": photos[winner]}
