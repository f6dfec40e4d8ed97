"""A share may have done what it says has failed: its server died before it answered. Then nothing is removed for it."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from daemon.files import rename
from daemon.filing import move as filing
from daemon.filing.move import move
from daemon.filing.unresolved import UnresolvedMoves
from daemon.photo import Outcome
from tests.daemon.support import (
    HandClock,
    digest,
    identity_of,
    intent,
    opened_filer,
    opened_ledger,
    plain,
    roots,
    scored,
    tree,
    write,
)


@pytest.fixture
def paths(tmp_path: Path) -> tuple[Path, Path]:
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    return write(tmp_path / "in" / "a.jpg", plain("red")), tmp_path / "out" / "a.jpg"


def unsupported(*_: object) -> None:
    raise OSError(errno.EINVAL, "Invalid argument")


def no_links(*_: object, **__: object) -> None:
    raise OSError(errno.EPERM, "Operation not permitted")


def failing(call: Callable[..., object], *, done: bool) -> Callable[..., object]:
    """Return a call that says it failed, once it was done or without."""

    def fails(*arguments: object, **more: object) -> None:
        if done:
            call(*arguments, **more)
        raise OSError(errno.EIO, "Input/output error")

    return fails


def across(*_: object) -> None:
    raise OSError(errno.EXDEV, "Invalid cross-device link")


@pytest.mark.parametrize("done", [True, False])
@pytest.mark.parametrize("way", ["link", "reserve", "copy"])
def test_a_move_whose_last_answer_is_lost_leaves_the_photo_in_one_place(
    paths: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, way: str, done: bool
) -> None:
    source, target = paths
    identity, real_unlink = identity_of(source), Path.unlink
    if way == "copy":
        real = filing.rename_noreplace  # type: ignore[attr-defined]
        monkeypatch.setattr(filing, "rename_noreplace", lambda a, b: across() if a == source else real(a, b))
    else:
        monkeypatch.setattr(rename, "renameat2", unsupported)
    if way == "reserve":
        monkeypatch.setattr(os, "link", no_links)
        monkeypatch.setattr(Path, "rename", failing(Path.rename, done=done))
    else:
        fails = failing(real_unlink, done=done)
        monkeypatch.setattr(
            Path, "unlink", lambda path, **more: (fails if path == source else real_unlink)(path, **more)
        )
    with pytest.raises(OSError, match="Input/output error"):
        move(source, identity, digest(plain("red")), target)
    assert (source.exists(), target.exists()) == (not done, done)
    assert (target if done else source).read_bytes() == plain("red")


def test_a_move_that_was_done_although_it_failed_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inbox, output = roots(tmp_path)
    photo = scored(write(inbox / "a.jpg", plain("red")))
    monkeypatch.setattr(filing, "rename_noreplace", failing(filing.rename_noreplace, done=True))  # type: ignore[attr-defined]
    with opened_filer(output, tmp_path / "l") as filer:
        filer.file([photo])
    assert photo.filing.outcome is Outcome.FILED
    with opened_ledger(tmp_path / "l") as ledger:
        rows = ledger._connection.execute("SELECT state, destination FROM photos").fetchall()
    assert rows == [("filed", os.fsencode(output / "red" / "a.jpg"))]
    assert tree(output) == {"red/a.jpg": plain("red")}


@pytest.mark.parametrize("numbers", ["kept", "made anew, as on sshfs"])
@pytest.mark.parametrize("lost", ["the link's answer", "the sync after it"])
def test_a_copy_that_a_link_published_before_its_server_died_is_not_filed_a_second_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: str, numbers: str
) -> None:
    inbox, output = roots(tmp_path)
    path = write(inbox / "a.jpg", plain("red"))
    real_rename, real_unlink = filing.rename_noreplace, Path.unlink  # type: ignore[attr-defined]
    monkeypatch.setattr(filing, "rename_noreplace", lambda a, b: across() if a == path else real_rename(a, b))

    def unlink(self: Path, **more: bool) -> None:
        gone = self.suffix == ".phototriage-part" and (output / "red" / "a.jpg").exists()  # the server, from then on
        (failing(real_unlink, done=False) if gone else real_unlink)(self, **more)

    def link(source: Path, target: Path, **_: bool) -> None:
        failing(real_link, done=True)(source, target)

    def away_now(folder: Path) -> None:
        if folder.name == "red":
            raise OSError(errno.ENOTCONN, "Transport endpoint is not connected")

    real_link = os.link
    with opened_filer(output, tmp_path / "l") as filer:
        with monkeypatch.context() as away:
            away.setattr(Path, "unlink", unlink)
            away.setattr(rename, "is_one_file", lambda *_: False)
            away.setattr("daemon.filing.unresolved.resolve", failing(lambda _: None, done=False))
            if lost == "the link's answer":
                away.setattr(os, "link", link)
            else:
                away.setattr(filing, "sync_directory", lambda folder: away_now(Path(folder)))
                away.setattr(filing, "still_there", lambda *_: False)
            filer.file([scored(path)])
            assert len(tree(output / "red")) == 2  # the photo, and the name of the copy
            if numbers != "kept":
                part = next(output.glob("red/.*"))
                write(output / "anew", part.read_bytes()).rename(part)
        monkeypatch.setattr("daemon.filing.proof.numbers_last", lambda _: numbers == "kept")
        filer.file([scored(path)])
    assert tree(output) == {"red/a.jpg": plain("red")}
    assert tree(inbox) == {}
    with opened_ledger(tmp_path / "l") as ledger:
        rows = ledger._connection.execute("SELECT state FROM photos WHERE state != 'gone'").fetchall()
    assert rows == [("filed",)]


def test_what_cannot_be_seen_stays_open_and_waits_until_it_can(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inbox, output = roots(tmp_path)
    path, clock = write(inbox / "a.jpg", plain("red")), HandClock()
    with opened_filer(output, tmp_path / "l", clock) as filer:
        with monkeypatch.context() as away:
            away.setattr(filing, "rename_noreplace", failing(filing.rename_noreplace, done=True))  # type: ignore[attr-defined]
            away.setattr("daemon.filing.unresolved.resolve", failing(lambda _: None, done=False))
            first = scored(path)
            filer.file([first])
            assert first.filing.outcome is Outcome.AGAIN
            (output / "red" / "a.jpg").rename(path)  # as if the client still believed that it is there
            again = scored(path)
            filer.file([again])
            assert again.filing.outcome is Outcome.AGAIN
            path.rename(output / "red" / "a.jpg")
        clock.turn(1.0)
        filer.file([scored(write(inbox / "b.jpg", plain("blue"), mtime_s=1), "blue")])
    with opened_ledger(tmp_path / "l") as ledger:
        rows = ledger._connection.execute("SELECT state, label FROM photos").fetchall()
    assert sorted(rows) == [("filed", "blue"), ("filed", "red")]


def test_an_open_intent_is_looked_at_ever_more_rarely_and_holds_up_its_own_file_alone(tmp_path: Path) -> None:
    clock, red = HandClock(), tmp_path / "red"
    red.symlink_to("red")  # a look through it fails, also for root
    path = write(tmp_path / "a.jpg", plain("red"))
    photo, its = scored(path), intent(path, red / "a.jpg")
    unresolved, owed = UnresolvedMoves(clock), dict[int, Outcome | None]()  # type: ignore[arg-type]
    looks = []
    for second in range(1_000):
        clock.now_s = 1_000.0 + second
        unresolved.add(1, its, OSError(errno.EIO, "Input/output error"))
        unresolved.retry(owed)
        if "Too many levels" in unresolved.blocked()[0].reason:
            looks.append(second)
    assert looks == [0, 1, 3, 7, 15, 30, 60, 120, 240, 540, 840]
    assert unresolved.find(photo) == its
    renamed = scored(path.rename(tmp_path / "renamed.jpg"))
    assert unresolved.find(renamed) == its
    assert unresolved.find(scored(write(path, plain("blue") + b"another"))) is None
    red.unlink()
    clock.turn(300.0)
    unresolved.retry(owed)
    assert (owed, unresolved.find(renamed), unresolved.blocked()) == ({1: None}, None, [])


def test_a_share_that_repeats_the_publishing_meets_its_own_work_and_no_strangers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden, target, other = write(tmp_path / "h", b"ours"), tmp_path / "t", write(tmp_path / "o", b"ours")
    monkeypatch.setattr(os, "link", repeating(os.link))
    assert rename.publish(hidden, target)
    assert hidden.samefile(target)
    with pytest.raises(FileExistsError):
        rename.publish(other, target)


def repeating(link: Callable[..., None]) -> Callable[..., None]:
    """Return a link whose request is sent twice, because its first answer got lost."""

    def twice(source: Path, target: Path, **more: bool) -> None:
        if not os.path.lexists(target):
            link(source, target, **more)
        link(source, target, **more)

    return twice
