"""A rename never overwrites, by whichever of its three ways."""

import errno
import os
import queue
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from daemon.files import rename
from daemon.files.rename import rename_noreplace
from tests.daemon.conftest import Stranger
from tests.daemon.support import tree

Way = Callable[[Path, Path], None]
WAYS: list[Way] = [
    rename_noreplace,
    rename.renameat2,
    rename._link_and_unlink,
    rename._reserve_and_rename,
]
ways = pytest.mark.parametrize("way", WAYS, ids=lambda way: str(way.__name__))


@ways
def test_a_free_name_is_taken_and_the_file_keeps_its_inode(tmp_path: Path, way: Way) -> None:
    source, target = tmp_path / os.fsdecode(b"caf\xe9.jpg"), tmp_path / ("é" * 127)
    source.write_bytes(b"photo")
    inode = source.stat().st_ino
    way(source, target)
    assert tree(tmp_path) == {target.name: b"photo"}
    assert (target.stat().st_ino, target.stat().st_nlink) == (inode, 1)


@ways
@pytest.mark.parametrize("kind", ["file", "folder", "dangling link"])
def test_a_taken_name_is_left_alone(tmp_path: Path, way: Way, kind: str) -> None:
    source, target = tmp_path / "a", tmp_path / "b"
    source.write_bytes(b"mine")
    if kind == "file":
        target.write_bytes(b"theirs")
    elif kind == "folder":
        target.mkdir()
    else:
        target.symlink_to("nowhere")
    before = target.lstat()
    with pytest.raises(FileExistsError):
        way(source, target)
    assert source.read_bytes() == b"mine"
    assert target.lstat().st_ino == before.st_ino
    assert target.lstat().st_size == before.st_size


@ways
def test_a_missing_source_leaves_nothing_behind(tmp_path: Path, way: Way) -> None:
    with pytest.raises(FileNotFoundError):
        way(tmp_path / "gone", tmp_path / "b")
    assert tree(tmp_path) == {}


@ways
def test_of_two_that_want_one_name_one_gets_it_and_both_photos_stay(tmp_path: Path, way: Way) -> None:
    for number in range(30):
        folder = tmp_path / str(number)
        folder.mkdir()
        loser = race(way, folder)
        winner = "two" if loser == "one" else "one"
        assert tree(folder) == {"target": winner.encode(), loser: loser.encode()}


def race(way: Way, folder: Path) -> str:
    """Let two threads rename to one name at the same moment; returns which one could not."""
    start, lost = threading.Barrier(2), queue.SimpleQueue[str]()

    def take(name: str) -> None:
        (folder / name).write_bytes(name.encode())
        start.wait()
        try:
            way(folder / name, folder / "target")
        except FileExistsError:
            lost.put(name)

    threads = [threading.Thread(target=take, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lost.qsize() == 1
    return lost.get()


def test_another_file_system_surfaces_as_such(tmp_path: Path, elsewhere: Path) -> None:
    source = tmp_path / "a"
    source.write_bytes(b"photo")
    for way in WAYS:
        with pytest.raises(OSError, match="cross-device") as caught:
            way(source, elsewhere / "a")
        assert caught.value.errno == errno.EXDEV
    assert tree(tmp_path) == {"a": b"photo"}
    assert tree(elsewhere) == {}


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP])
def test_where_the_kernel_has_no_such_rename_the_fallback_moves_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def unsupported(_source: Path, _target: Path) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(rename, "renameat2", unsupported)
    (tmp_path / "a").write_bytes(b"photo")
    rename_noreplace(tmp_path / "a", tmp_path / "b")
    assert tree(tmp_path) == {"b": b"photo"}


def test_where_there_are_no_hard_links_either_the_name_is_reserved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", forbidden)
    (tmp_path / "a").write_bytes(b"photo")
    rename._link_and_unlink(tmp_path / "a", tmp_path / "b")
    assert tree(tmp_path) == {"b": b"photo"}


@pytest.mark.parametrize("way", ["rename_noreplace", "_link_and_unlink", "_reserve_and_rename"])
def test_a_folder_that_lets_nothing_go_keeps_its_photo_and_the_other_gets_no_copy(stranger: Stranger, way: str) -> None:
    inbox, output = stranger.folder / "inbox", stranger.folder / "output"
    for folder in (inbox, output):
        folder.mkdir()
    (inbox / "a").write_bytes(b"photo")
    inbox.chmod(0o555)
    script = (
        f"from daemon.files.rename import {way} as way; way(Path({str(inbox / 'a')!r}), Path({str(output / 'a')!r}))"
    )
    assert "PermissionError" in stranger.python(script).stderr
    assert tree(stranger.folder) == {"inbox/a": b"photo"}


@pytest.mark.parametrize(("share", "asked"), [(True, 1), (False, 3)])
def test_a_share_without_such_a_rename_is_asked_for_it_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, share: bool, asked: int
) -> None:
    tries = []

    def refused(source: Path, target: Path) -> None:
        tries.append(source)
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr(rename, "renameat2", refused)
    monkeypatch.setattr(rename, "_have_none", set())
    monkeypatch.setattr(rename, "is_on_share", lambda _: share)
    for name in ("a", "b", "c"):
        (tmp_path / name).write_bytes(name.encode())
        rename_noreplace(tmp_path / name, tmp_path / f"{name}.jpg")
    assert len(tries) == asked
    assert tree(tmp_path) == {"a.jpg": b"a", "b.jpg": b"b", "c.jpg": b"c"}
