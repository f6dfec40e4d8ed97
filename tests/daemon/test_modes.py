"""Copied and linked photos are whole under their class, their originals untouched, and none is filed twice."""

import errno
import os
import stat
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from daemon.files.identity import Identity, look_at
from daemon.files.marker import UNMARKED, MountMissingError, RootError, mark
from daemon.filing import modes
from daemon.filing.modes import ModeError, check_mode, transfer, why_not
from daemon.filing.move import SourceChangedError, temporary_beside
from daemon.intake.retry import Retries
from daemon.intake.walk import MARKER
from daemon.photo import Mode, Outcome
from daemon.roots import InboxLock
from tests.daemon.mounted import mounted
from tests.daemon.support import (
    daemon,
    digest,
    identity_of,
    model_file,
    opened_filer,
    opened_ledger,
    plain,
    roots,
    run,
    scored,
    tree,
    unique,
    wait_until,
    write,
)

PHOTO = plain("red")
STAYING = [Mode.COPY, Mode.HARDLINK, Mode.SYMLINK]
staying = pytest.mark.parametrize("mode", STAYING)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "inbox").mkdir()
    (tmp_path / "red").mkdir()
    return write(tmp_path / "inbox" / "a.jpg", PHOTO, mtime_s=1_500_000_000.5)


@staying
def test_the_photo_is_there_and_its_original_is_as_it_was(source: Path, mode: Mode) -> None:
    target, before = source.parent.parent / "red" / "a.jpg", source.lstat()
    source.chmod(0o640)
    hidden = transfer(mode, source, identity_of(source), digest(PHOTO), target).hidden
    if hidden is not None:
        hidden.unlink()
    assert target.read_bytes() == PHOTO
    assert identity_of(source) == Identity.of(before)
    kind = "link" if target.is_symlink() else "same" if target.samefile(source) else "other"
    assert kind == {Mode.COPY: "other", Mode.HARDLINK: "same", Mode.SYMLINK: "link"}[mode]
    assert (stat.S_IMODE(target.stat().st_mode), target.stat().st_mtime) == (0o640, 1_500_000_000.5)
    assert [path.name for path in target.parent.iterdir()] == ["a.jpg"]


@pytest.mark.parametrize("mode", [Mode.COPY, Mode.SYMLINK])
def test_copies_and_symbolic_links_cross_file_systems(source: Path, elsewhere: Path, mode: Mode) -> None:
    transfer(mode, source, identity_of(source), digest(PHOTO), elsewhere / "a.jpg")
    assert (elsewhere / "a.jpg").read_bytes() == PHOTO
    assert source.read_bytes() == PHOTO


def test_extended_attributes_are_copied(source: Path) -> None:
    try:
        os.setxattr(source, "user.rating", b"5")
    except OSError:
        pytest.skip("no extended attributes here")
    target = source.parent.parent / "red" / "a.jpg"
    transfer(Mode.COPY, source, identity_of(source), digest(PHOTO), target)
    assert os.getxattr(target, "user.rating") == b"5"


@staying
def test_a_taken_name_is_left_alone(source: Path, mode: Mode) -> None:
    target = write(source.parent.parent / "red" / "a.jpg", b"theirs")
    with pytest.raises(FileExistsError):
        transfer(mode, source, identity_of(source), digest(PHOTO), target)
    assert tree(source.parent.parent) == {"inbox/a.jpg": PHOTO, "red/a.jpg": b"theirs"}


@staying
@pytest.mark.parametrize("late", [False, True], ids=["before the look", "after it"])
def test_a_file_that_changed_since_it_was_classified_is_not_filed(
    source: Path, monkeypatch: pytest.MonkeyPatch, mode: Mode, late: bool
) -> None:
    identity, target = identity_of(source), source.parent.parent / "red" / "a.jpg"

    def meddled(path: Path) -> Identity | None:
        seen = look_at(path)
        write(path.with_name("new"), b"newer").replace(path)
        return seen

    if late:
        monkeypatch.setattr(modes, "look_at", meddled)
    else:
        write(source, b"newer")
    with pytest.raises(SourceChangedError):
        transfer(mode, source, identity, digest(PHOTO), target)
    assert tree(source.parent.parent) == {"inbox/a.jpg": b"newer"}
    assert not target.is_symlink()


def test_a_copy_that_was_cut_off_does_not_hinder_the_next(source: Path) -> None:
    target = source.parent.parent / "red" / "a.jpg"
    temporary_beside(target, source, identity_of(source)).write_bytes(b"half")
    hidden = transfer(Mode.COPY, source, identity_of(source), digest(PHOTO), target).hidden
    assert hidden is not None
    assert tree(target.parent) == {"a.jpg": PHOTO, hidden.name: PHOTO}


def test_hard_links_between_two_file_systems_are_refused_at_the_start(tmp_path: Path, elsewhere: Path) -> None:
    write(tmp_path / MARKER, b"{}")
    with pytest.raises(ModeError) as refused:
        check_mode(Mode.HARDLINK, tmp_path, elsewhere)
    assert str(refused.value) == (
        f"--mode hardlink cannot be used from {tmp_path} to {elsewhere}: a hard link and its original must lie on one "
        "file system. Pass --mode symlink or copy."
    )
    for mode in (Mode.MOVE, Mode.COPY, Mode.SYMLINK):
        check_mode(mode, tmp_path, elsewhere)
    assert list(elsewhere.iterdir()) == []


def test_a_file_system_without_links_is_refused_at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "symlink", forbidden)
    monkeypatch.setattr(os, "link", forbidden)
    for mode in (Mode.HARDLINK, Mode.SYMLINK):
        with pytest.raises(ModeError, match=r"has no such links.*Pass --mode copy\."):
            check_mode(mode, tmp_path, tmp_path)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_an_output_that_cannot_be_written_now_is_no_reason_to_refuse_a_mode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "link", failing)
    check_mode(Mode.HARDLINK, tmp_path, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("mode", "code", "sentence"),
    [
        (Mode.MOVE, errno.EPERM, "it cannot be moved to red/a.jpg (Operation not permitted)"),
        (Mode.COPY, errno.ENOSPC, "it cannot be copied to red/a.jpg (No space left on device)"),
        (
            Mode.HARDLINK, errno.EPERM,
            ("it cannot be linked to red/a.jpg (the file system has no such links, or the kernel forbids links to "
             "files of other users); --mode copy would work"),
        ),
        (Mode.SYMLINK, errno.EACCES, "it cannot be linked to red/a.jpg (Permission denied)"),
    ],
)  # fmt: skip
def test_a_photo_that_cannot_be_placed_gets_a_sentence_that_says_what_would_do(
    mode: Mode, code: int, sentence: str
) -> None:
    assert why_not(mode, Path("red/a.jpg"), OSError(code, os.strerror(code))) == sentence


@staying
def test_the_filer_files_it_holds_the_original_and_syncs_what_can_be_synced(tmp_path: Path, mode: Mode) -> None:
    inbox, output = roots(tmp_path)
    photo = scored(write(inbox / "a.jpg", PHOTO))
    with opened_filer(output, tmp_path / "l", mode=mode) as filer:
        filer.file([photo])
    assert (photo.filing.outcome, photo.filing.stays, photo.filing.reason) == (Outcome.FILED, True, "")
    assert (output / "red" / "a.jpg").read_bytes() == PHOTO
    assert tree(inbox) == {"a.jpg": PHOTO}
    with opened_ledger(tmp_path / "l") as ledger:
        assert ledger.known(inbox / "a.jpg", photo.found.identity)
        assert not ledger.known(inbox / "a.jpg", identity_of(write(inbox / "a.jpg", b"newer")))


def test_what_an_earlier_run_filed_is_asked_for_once_and_a_changed_one_is_tried(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jpg", PHOTO)
    asked: list[Path] = []

    def known(path: Path, identity: Identity) -> bool:
        asked.append(path)
        return identity.size == len(PHOTO)

    retries = Retries(for_ever=True, known=known)
    assert [retries.may_try(path, identity_of(path), 0.0) for _ in range(3)] == [False] * 3
    assert len(asked) == 1
    assert not retries.pending()
    assert retries.may_try(path, identity_of(write(path, b"newer")), 0.0)


@staying
def test_one_pass_ends_a_second_one_files_nothing_and_a_new_version_is_filed(tmp_path: Path, mode: Mode) -> None:
    inbox, output = tmp_path / "in", tmp_path / "out"
    inbox.mkdir()
    for name in ("a.jpg", "b.jpg"):
        write(inbox / name, PHOTO + name.encode(), mtime_s=1_500_000_000)
    write(inbox / "torn.jpg", PHOTO[:200], mtime_s=1_500_000_000)
    folders = ("--inbox", inbox, "--output", output)
    options = ("sort", *folders, "--model", model_file(tmp_path), "--mode", str(mode), "--give-up-after", "0")
    assert "sorted 3 photos" in (first := run(*options)).stderr, first.stderr
    assert "sorted 0 photos" in run(*options).stderr
    write(inbox / "new", PHOTO + b"newer").replace(inbox / "b.jpg")
    assert "sorted 1 photo " in run(*options).stderr
    assert sorted(path.name for path in (output / "red").iterdir()) == ["a.jpg", "b-1.jpg", "b.jpg"]
    assert sorted(path.name for path in (output / "_failed").iterdir()) == ["torn.jpg", "torn.jpg.why.txt"]
    assert sorted(tree(inbox)) == ["a.jpg", "b.jpg", "torn.jpg"]


def test_a_daemon_that_copies_files_each_photo_once_and_goes_on(tmp_path: Path) -> None:
    inbox, output = tmp_path / "in", tmp_path / "out"
    inbox.mkdir()
    write(inbox / "a.jpg", PHOTO)
    options = ("--inbox", inbox, "--output", output, "--model", model_file(tmp_path), "--mode", "copy")
    with daemon(*options) as one:
        one.photos({"a.jpg"})
        write(inbox / "b.jpg", PHOTO)
        one.photos({"b.jpg"})
        assert one.stop() == 0
        names = [Path(event["path"]).name for event in one.events if event["event"] == "photo"]
    assert names == ["a.jpg", "b.jpg"]
    assert sorted(tree(output / "red")) == ["a.jpg", "b.jpg"]


def test_a_mode_that_cannot_be_had_ends_the_start_with_one_sentence(tmp_path: Path, elsewhere: Path) -> None:
    (tmp_path / "in").mkdir()
    write(tmp_path / "in" / "a.jpg", PHOTO)
    options: list[str | Path] = [
        "sort",
        "--inbox",
        tmp_path / "in",
        "--output",
        elsewhere / "out",
        "--mode",
        "hardlink",
    ]
    done = run(*options, "--model", model_file(tmp_path))
    assert done.returncode == 1
    assert "--mode hardlink cannot be used" in done.stderr
    assert "Traceback" not in done.stderr
    assert tree(tmp_path / "in") == {"a.jpg": PHOTO}


@pytest.mark.system("mount", "umount", root=True)
@pytest.mark.parametrize("mode", ["copy", "symlink"])
def test_a_write_protected_card_is_filed_from_without_being_written(tmp_path: Path, mode: str) -> None:
    card = tmp_path / "card"
    put_photos = {"DCIM/a.jpg": plain("red"), "b.jpg": unique("green", 1), "b.xmp": b"a sidecar"}
    for name, data in put_photos.items():
        (card / name).parent.mkdir(parents=True, exist_ok=True)
        write(card / name, data, mtime_s=1e9)
    with mounted(tmp_path / "in", "--bind", "-o", "ro", str(card)) as inbox:
        options = ("--inbox", inbox, "--output", tmp_path / "out", "--model", model_file(tmp_path), "--recursive")
        refused = run("sort", *options)
        assert "cannot be written (Read-only file system)" in refused.stderr
        assert "or pass --mode copy" in refused.stderr
        for photos in (2, 0):  # the second time all are known
            done = run("sort", *options, "--mode", mode)
            assert done.returncode == 0
            assert f"sorted {photos} photos" in done.stderr
        assert tree(inbox) == put_photos
        with daemon(*options, "--mode", mode) as running:
            running.ready()
            assert "Another phototriage is already running" in run("sort", *options, "--mode", mode).stderr
            write(card / "later.jpg", unique("blue", 2), mtime_s=1e9)
            wait_until(lambda: (tmp_path / "out" / "blue" / "later.jpg").exists(), "the photo that came later")
            assert running.stop() == 0
    assert set(tree(card)) == {*put_photos, "later.jpg"}


@pytest.mark.system("mount", "umount", root=True)
def test_a_card_without_a_marker_is_missed_when_it_is_away_and_taken_when_it_can_be_written(tmp_path: Path) -> None:
    for name in ("card", "other"):
        (tmp_path / name).mkdir()
    inbox = tmp_path / "in"
    with opened_ledger(tmp_path / "l") as ledger:
        with mounted(inbox, "--bind", "-o", "ro", str(tmp_path / "card")):
            with closing(InboxLock(inbox, ledger.roots, may_be_unmarked=True)) as lock:
                lock.adopt()
                lock.check()
                with pytest.raises(RootError, match="already running"):
                    InboxLock(inbox, ledger.roots, may_be_unmarked=True)
                subprocess.run(["mount", "--bind", str(tmp_path / "other"), str(inbox)], check=True)  # another card
                lock.check()
                assert lock.root.marker != UNMARKED
            subprocess.run(["umount", str(inbox)], check=True)
            with closing(InboxLock(inbox, ledger.roots, may_be_unmarked=True)) as lock:
                lock.adopt()
        with pytest.raises(MountMissingError, match="nothing is mounted"):
            InboxLock(inbox, ledger.roots, may_be_unmarked=True)
        inbox.rmdir()
        with (
            mounted(inbox, "--bind", str(tmp_path / "card")),
            closing(InboxLock(inbox, ledger.roots, may_be_unmarked=True)) as lock,
        ):
            lock.adopt()
            assert lock.root.marker == mark(inbox, "inbox") != UNMARKED
