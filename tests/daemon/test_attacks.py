"""Somebody who may write to the inbox, or beside the daemon to the output, gets at nothing else by it: real attacks."""

import ctypes
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from common.errors import PhotoError, Reason
from daemon.decode.decode import decode
from daemon.files.confined import UNKNOWN_OWNER, is_folder
from daemon.files.identity import look_at
from daemon.files.users import may_be_any_user
from daemon.filing import move as filing
from daemon.filing import recovery
from daemon.filing.failure_note import write_failure_note
from daemon.filing.modes import transfer
from daemon.filing.move import SourceChangedError
from daemon.intake.walk import MARKER
from daemon.photo import Mode, Outcome
from tests.daemon.house import House, ask
from tests.daemon.support import (
    DEADLINE_S,
    command,
    companion,
    daemon,
    digest,
    environment,
    identity_of,
    intent,
    model,
    model_file,
    opened_filer,
    opened_guard,
    photo_of,
    plain,
    roots,
    run,
    scored,
    unique,
    write,
)

AT_FDCWD, RENAME_EXCHANGE, CLONE_NEWUSER = -100, 2, 0x10000000


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """An inbox with a folder, and a private one of somebody else with a photo of the same name."""
    for name in ("in/sub", "private"):
        (tmp_path / name).mkdir(parents=True)
    write(tmp_path / "private" / "a.jpg", unique("red", 666))
    return tmp_path / "in"


def swapped_for_a_link(inbox: Path) -> Path:
    """Put a link to the private folder in the place of the inbox's; returns the private photo."""
    (inbox / "sub").rename(inbox.parent / "moved")
    (inbox / "sub").symlink_to(inbox.parent / "private")
    return inbox.parent / "private" / "a.jpg"


@pytest.mark.parametrize("mode", list(Mode))
def test_a_folder_that_became_a_link_after_the_look_leads_to_no_file_outside(inbox: Path, mode: Mode) -> None:
    source = write(inbox / "sub" / "a.jpg", plain("red"))
    identity = identity_of(source)
    private = swapped_for_a_link(inbox)
    private.unlink()
    private.hardlink_to(inbox.parent / "moved" / "a.jpg")  # so that no look at the file itself could tell
    with pytest.raises(SourceChangedError):
        transfer(mode, source, identity, digest(plain("red")), inbox.parent / "b.jpg", Path("sub"))
    assert private.exists()
    assert not os.path.lexists(inbox.parent / "b.jpg")


def test_what_lies_behind_a_link_is_not_read_even_if_it_was_looked_at(inbox: Path, tmp_path: Path) -> None:
    swapped_for_a_link(inbox)
    path = inbox / "sub" / "a.jpg"
    seen = look_at(path)
    assert seen is not None
    photo = photo_of(path, seen, relpath=Path("sub"))
    with opened_guard(tmp_path / "notes") as guard:
        photo.read = decode(photo.found, model().contract.geometry, 0.0, guard)
    assert isinstance(photo.read.fault, PhotoError)
    assert photo.read.fault.reason is Reason.CHANGED
    assert not photo.read.sha256


def test_after_a_crash_no_original_is_removed_behind_a_link(
    inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def meddle() -> None:
        swapped_for_a_link(inbox)

    assert after_a_crash(inbox, tmp_path, monkeypatch, meddle) is Outcome.FILED
    assert (tmp_path / "private" / "a.jpg").read_bytes() == unique("red", 666)


def test_after_a_crash_no_photo_is_removed_that_took_the_place_of_the_original_meanwhile(
    inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def meddle() -> None:
        write(tmp_path / "new.jpg", unique("green", 1)).rename(inbox / "sub" / "a.jpg")

    assert after_a_crash(inbox, tmp_path, monkeypatch, meddle) is Outcome.FILED
    assert (inbox / "sub" / "a.jpg").read_bytes() == unique("green", 1)


def after_a_crash(
    inbox: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, meddle: Callable[[], object]
) -> Outcome | None:
    """Settle a move that was cut off before its original went; somebody meddles while the copy is made durable."""
    source = write(inbox / "sub" / "a.jpg", plain("red"), mtime_s=1.0)
    target = folder / "out" / "a.jpg"
    target.parent.mkdir()
    shutil.copy2(source, target)
    filing.temporary_beside(target, source, identity_of(source)).hardlink_to(target)

    def sync_file(path: str | Path) -> None:
        filing.sync_file(path)
        meddle()

    monkeypatch.setattr(recovery, "sync_file", sync_file)
    return recovery.resolve(intent(source, target))


@contextmanager
def swapping(one: Path, other: Path) -> Iterator[None]:
    """Exchange two names for each other, again and again, as fast as the kernel can."""
    libc, over = ctypes.CDLL(None, use_errno=True), threading.Event()
    first, second = os.fsencode(one), os.fsencode(other)

    def swap() -> None:
        while not over.is_set():
            libc.renameat2(AT_FDCWD, first, AT_FDCWD, second, RENAME_EXCHANGE)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize("mode", ["move", "copy"])
@pytest.mark.system("strace")
def test_a_folder_swapped_for_a_link_in_every_moment_betrays_no_file_outside(
    inbox: Path, tmp_path: Path, mode: str
) -> None:
    """The kernel is made slow at each open and rename, so that the swap falls between any two of them."""
    secrets = {}
    for number in range(8):
        name = f"{number}.jpg"
        secrets[name] = write(tmp_path / "private" / name, unique("red", 1000 + number))
        write(inbox / "sub" / name, unique("red", number), mtime_s=1.0)
    before = {name: (path.stat().st_ino, path.read_bytes()) for name, path in secrets.items()}
    (tmp_path / "link").symlink_to(tmp_path / "private")
    slow = [
        arg
        for call in ("openat", "renameat2", "newfstatat")
        for arg in ("-e", f"inject={call}:delay_enter=2000:when=900+")
    ]
    tracer = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=openat,renameat2,newfstatat", *slow]
    words = ("sort", "--recursive", "--mode", mode, "--inbox", inbox, "--output", tmp_path / "out")
    with swapping(inbox / "sub", tmp_path / "link"):
        subprocess.run(
            [*tracer, *command(*words, "--model", model_file(tmp_path), "--quiet")],
            capture_output=True, timeout=DEADLINE_S, env=environment(),
        )  # fmt: skip
    assert {name: (path.stat().st_ino, path.read_bytes()) for name, path in secrets.items()} == before
    filed = {path.read_bytes() for path in (tmp_path / "out").rglob("*.jpg")}
    assert not filed & {data for _, data in before.values()}


def test_undo_goes_through_no_link_that_was_planted_in_the_inbox(tmp_path: Path) -> None:
    house = House(tmp_path / "house")
    etc = tmp_path / "etc"
    etc.mkdir()
    photo = house.file("a.jpg", source=house.inbox / "sub" / "a.jpg")
    (house.inbox / "sub").symlink_to(etc)
    result = ask("undo", "--last", "1", "--inbox", house.inbox)
    assert not list(etc.iterdir())
    assert photo.exists()
    assert "cannot be moved" in result.output
    (house.inbox / "sub").unlink()
    assert ask("undo", "--last", "1", "--inbox", house.inbox).exit_code == 0
    assert (house.inbox / "sub" / "a.jpg").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can put there what is somebody else's")
def test_a_class_folder_that_is_a_strangers_link_is_not_filed_into(tmp_path: Path) -> None:
    inbox, output, outside = tmp_path / "in", tmp_path / "out", tmp_path / "outside"
    for folder in (inbox, output, outside):
        folder.mkdir()
    (output / "red").symlink_to(outside)
    assert is_folder(output / "red", output)  # our own
    os.lchown(output / "red", 12345, 12345)
    write(inbox / "a.jpg", plain("red"), mtime_s=1.0)
    done = run("sort", "--inbox", inbox, "--output", output, "--model", model_file(tmp_path))
    assert done.returncode == 1
    assert "it is a link that user 12345 put there" in done.stdout
    assert not list(outside.iterdir())
    assert (inbox / "a.jpg").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can put there what is somebody else's")
def test_nothing_is_filed_through_a_strangers_link_on_the_way_to_a_folder(tmp_path: Path) -> None:
    """The folder itself is there, behind the link: a look at it alone would find nothing wrong."""
    inbox, output, outside = tmp_path / "in", tmp_path / "out", tmp_path / "outside"
    for folder in (inbox / "sub", output, outside / "sub"):
        folder.mkdir(parents=True)
    (output / "red").symlink_to(outside)
    os.lchown(output / "red", 12345, 12345)
    write(inbox / "sub" / "a.jpg", plain("red"), mtime_s=1.0)
    words = ("sort", "--recursive", "--inbox", inbox, "--output", output, "--model", model_file(tmp_path))
    done = run(*words)
    assert done.returncode == 1
    assert f"{output / 'red'} cannot be used (it is a link that user 12345 put there)" in done.stderr  # at the start
    assert not list((outside / "sub").iterdir())
    assert (inbox / "sub" / "a.jpg").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can put there what is somebody else's")
def test_a_companion_that_comes_late_follows_its_photo_through_no_strangers_link(tmp_path: Path) -> None:
    inbox, output = roots(tmp_path)
    photo, sidecar = write(inbox / "a.jpg", plain("red")), inbox / "a.xmp"
    with opened_filer(output, tmp_path / "l") as filer:
        filer.file([scored(photo)])
        assert (output / "red" / "a.jpg").exists()
        (output / "red").rename(tmp_path / "outside")
        (output / "red").symlink_to(tmp_path / "outside")
        os.lchown(output / "red", 12345, 12345)
        part = companion(write(sidecar, b"sidecar"))
        filer.file([part])
    assert sidecar.exists()
    assert not (tmp_path / "outside" / "a.xmp").exists()


def seen_in_a_namespace(mapped: str, question: Callable[[], object]) -> str:
    """Ask a question in a child whose user namespace knows only some users; returns the answer, or the error."""
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:
        answer = "no namespace"
        if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWUSER) == 0:
            theirs.send(b"ready")
            theirs.recv(1)
            try:
                answer = str(question())
            except OSError as error:
                answer = str(error.strerror)
        theirs.send(answer.encode())
        os._exit(0)
    try:
        if ours.recv(100) == b"ready":
            Path(f"/proc/{child}/uid_map").write_text(mapped)
            ours.send(b"x")
            return ours.recv(1000).decode()
        pytest.skip("no user namespace can be had here")
    finally:
        ours.close()
        theirs.close()
        os.waitpid(child, 0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can put there what is somebody else's")
def test_where_all_strangers_look_alike_a_link_is_followed_only_if_its_maker_is_known(tmp_path: Path) -> None:
    """As PrivateUsers=yes of the unit has it: the owner of the output and a stranger are both shown as 65534."""
    output, outside = tmp_path / "out", tmp_path / "outside"
    for folder in (output, outside):
        folder.mkdir()
    os.chown(output, 12345, 12345)
    link = output / "red"
    link.symlink_to(outside)
    answers = {}
    for owner in (0, 4000, 12345, 12346, 65534):
        os.lchown(link, owner, owner)
        answers[owner] = seen_in_a_namespace("0 0 1\n4000 4000 1\n", lambda: is_folder(link, output))
    assert answers.pop(0) == "True"
    assert answers.pop(4000) == "it is a link that user 4000 put there"
    assert set(answers.values()) == {UNKNOWN_OWNER}


def test_the_number_for_unknown_users_proves_nothing_unless_all_are_known(tmp_path: Path) -> None:
    def proc(name: str, uid_map: str | None, overflow: str | None = "65534\n") -> Path:
        for path, text in (("self/uid_map", uid_map), ("sys/kernel/overflowuid", overflow)):
            (tmp_path / name / path).parent.mkdir(parents=True)
            if text is not None:
                (tmp_path / name / path).write_text(text)
        return tmp_path / name

    assert not may_be_any_user(65534, proc("host", "         0          0 4294967295\n"))
    assert may_be_any_user(65534, proc("unit", "0 0 1\n4000 4000 1\n"))
    assert may_be_any_user(65534, proc("container", "0 100000 65536\n"))  # 65534 is mapped, and stands for all others
    assert not may_be_any_user(4000, proc("own", "0 0 1\n4000 4000 1\n"))
    assert may_be_any_user(60000, proc("other number", "0 0 1\n", "60000\n"))
    assert may_be_any_user(65534, proc("hidden", None, None))


@pytest.mark.parametrize("trap", ["pipe", "link", "flood"])
def test_a_marker_that_is_a_trap_ends_the_start_with_a_sentence(tmp_path: Path, trap: str) -> None:
    inbox, marker = tmp_path / "in", tmp_path / "in" / MARKER
    inbox.mkdir()
    if trap == "pipe":
        os.mkfifo(marker)
    elif trap == "link":
        marker.symlink_to(write(tmp_path / "x", b'{"id": "1"}'))
    else:
        marker.touch()
        os.truncate(marker, 1 << 40)
    done = run("sort", "--inbox", inbox, "--output", tmp_path / "out", "--model", model_file(tmp_path))
    assert done.returncode == 1
    assert "is not a marker of phototriage" in done.stderr


def test_pipes_under_the_names_that_the_watcher_uses_hold_nothing_up(tmp_path: Path) -> None:
    inbox = tmp_path / "in"
    inbox.mkdir()
    os.mkfifo(inbox / f"{MARKER}.canary.tmp")
    os.mkfifo(inbox / "pipe.jpg")
    with daemon("--inbox", inbox, "--output", tmp_path / "out", "--model", model_file(tmp_path)) as process:
        process.ready()
        write(tmp_path / "a.jpg", plain("red")).rename(inbox / "a.jpg")
        assert process.photos({"a.jpg"})["a.jpg"]["outcome"] == Outcome.FILED
        assert process.stop() == 0


def test_a_note_is_never_written_through_a_link_that_waits_under_its_name(tmp_path: Path) -> None:
    victim = write(tmp_path / "victim", b"precious")
    failed = tmp_path / "a.jpg"
    failed.touch()
    text = b"a.jpg could not be filed under a class.\nbroken\n"
    token = digest(os.fsencode(failed) + text)[:16]
    (tmp_path / f".a.jpg.{token}.phototriage-part").symlink_to(victim)
    note = write_failure_note(failed, "a.jpg", "broken")
    assert note.read_bytes() == text
    assert not note.is_symlink()
    assert victim.read_bytes() == b"precious"


HOSTILE = (
    "\x1b[31mred\x1b[0m.jpg",
    "line\nbreak.jpg",
    "bell\x07.jpg",
    "\u202egpj.exe.jpg",
    os.fsdecode(b"caf\xe9\x9b2J.jpg"),
    "\r\x1b]0;title\x07.jpg",
)


def is_harmless(text: str) -> bool:
    return all(character.isprintable() or character == "\n" for character in text)


def test_no_command_lets_a_terminal_command_in_a_name_through(tmp_path: Path) -> None:
    inbox, output = tmp_path / "in\x1b[2J", tmp_path / "out"
    inbox.mkdir()
    for number, name in enumerate(HOSTILE):
        write(inbox / name, unique("red", number), mtime_s=1.0)
        write(inbox / f"bad{name}", b"no photo", mtime_s=1.0)
    folders = ("--inbox", inbox, "--output", output)
    words = (*folders, "--model", model_file(tmp_path), "--give-up-after", "0")
    said = [run("sort", "--dry-run", *words), run("sort", *words)]
    (first,) = [path for path in (output / "red").iterdir() if path.name == HOSTILE[0]]
    questions: list[tuple[str | Path, ...]] = [
        ("history", "--all"), ("history", "--all", "--json"), ("history", "--all", "--csv"), ("explain", first),
        ("explain", first, "--json"), ("explain", inbox / "none\x1b[1m.jpg"), ("retry", "--dry-run"), ("retry",),
        ("undo", "--last", "2", "--dry-run"), ("undo", "--last", "3"), ("undo", "--last", "1", "--json"), ("status",),
        ("doctor", *folders), ("sort", "--inbox", "none\x1b[1m", "--output", output),
        ("watch", "--config", "c\x1b[1m.toml"), ("inspect", "m\x1b[1m.onnx"), ("status", "--inbox", "none\x1b[1m"),
    ]  # fmt: skip
    answers = [ask(*question).output for question in questions]
    said.append(run("sort", "--json", *words))  # of what was taken back
    texts = [done.stdout + done.stderr for done in said] + answers
    for text, question in zip(texts, ("dry run", "sort", "sort --json", *questions), strict=True):
        assert is_harmless(text), question
        assert text, question
    notes = list((output / "_failed").glob("*.why.txt"))
    assert len(notes) == len(HOSTILE)
    assert all(is_harmless(note.read_text()) for note in notes)
