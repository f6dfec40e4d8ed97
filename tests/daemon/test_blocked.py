"""What cannot be filed because of its place alone waits at no cost, is told about, and goes on by itself."""

import errno
import os
import signal
import subprocess
from dataclasses import replace
from math import inf
from pathlib import Path

import pytest

from common.errors import PhotoError, Reason
from daemon.files.identity import Identity
from daemon.filing import move as filing
from daemon.intake import remembered
from daemon.intake.blocked import BlockedPlaces, merge_blocked
from daemon.intake.remembered import Remembered
from daemon.intake.retry import TRIES_OF_ONE_PASS, Retries
from daemon.photo import Filing, Outcome, Photo
from daemon.queues import Blocked
from daemon.words.words import EMPTY, Words
from tests.daemon.mounted import mounted
from tests.daemon.support import (
    HandClock,
    command,
    environment,
    identity,
    model_file,
    opened_filer,
    photo_of,
    plain,
    roots,
    scored,
    tree,
    unique,
    wait_until,
    write,
)

A, B, C = (Path(f"/inbox/{name}.jpg") for name in "abc")


def waits(path: Path, place: str = "sea", who: Identity | None = None) -> Photo:
    return photo_of(path, who or identity(), outcome=Outcome.AGAIN, folder=place, waits_for=place, reason=f"{place}!")


def filed(path: Path, place: str = "sea") -> Photo:
    return photo_of(path, identity(), outcome=Outcome.FILED, folder=place, destination=Path("/out", place, path.name))


def due(retries: Retries, now_s: float) -> list[Path]:
    return list(retries.due(now_s, 1_000))


def test_of_all_that_wait_for_one_place_one_is_tried_ever_more_rarely_and_then_all() -> None:
    retries = Retries(for_ever=True)
    for path in (A, B, C):
        retries.record(waits(path), 0.0)
    assert retries.blocked() == [Blocked("sea", 3, "sea!")]
    now_s, pauses = 0.0, []
    for _ in range(10):
        began_s, now_s = now_s, retries.due_s()
        while not (tried := due(retries, now_s)):
            now_s = retries.due_s()
        assert tried == [A]
        assert not retries.may_try(B, identity(), now_s)
        pauses.append(now_s - began_s)
        retries.record(waits(A), now_s)
    assert pauses == [1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 120.0, 300.0, 300.0]
    assert due(retries, now_s + 299.0) == []
    retries.record(filed(A), now_s + 300.0)
    assert due(retries, now_s + 300.0) == [B, C]
    assert retries.blocked() == []
    for path in (B, C):
        retries.record(filed(path), now_s + 301.0)
    assert (retries.pending(), due(retries, inf)) == (False, [])


def test_another_photo_that_gets_there_frees_the_place_and_one_with_a_trouble_of_its_own_keeps_its_pause() -> None:
    retries = Retries(for_ever=True)
    for now_s in (0.0, 1.0, 3.0, 7.0, 15.0, 30.0):
        retries.record(waits(A), now_s)
    retries.record(waits(B), 30.0)
    retries.record(waits(C), 33.0)
    for now_s in (33.5, 33.6, 33.7):
        retries.record(filed(Path("/inbox/other.jpg")), now_s)
    assert due(retries, 33.7) == [B]
    assert due(retries, 34.0) == [C]
    assert due(retries, 41.4) == []
    assert due(retries, 41.5) == [A]
    assert due(retries, 1e9) == []


def test_when_the_one_that_is_tried_goes_or_changes_another_takes_its_turn() -> None:
    retries = Retries(for_ever=True)
    for path in (A, B, C):
        retries.record(waits(path), 0.0)
    assert due(retries, 1.0) == [A]
    retries.forget(A, 1.0)
    assert due(retries, 1.0) == [B]
    retries.record(waits(B, "street"), 2.0)
    assert due(retries, 2.0) == [C]
    assert {one.place: one.photos for one in retries.blocked()} == {"sea": 1, "street": 1}
    assert retries.may_try(C, identity(size=11), 2.0)  # another file by now
    retries.record(photo_of(C, identity(), outcome=Outcome.GONE), 3.0)
    assert [one.place for one in retries.blocked()] == ["street"]


def test_one_pass_gives_up_all_that_wait_for_a_place_with_the_one_that_is_tried() -> None:
    retries, now_s = Retries(for_ever=False), 0.0
    retries.record(waits(B), 0.0)
    retries.record(waits(A), 0.0)
    for _ in range(TRIES_OF_ONE_PASS - 1):
        assert retries.pending()
        now_s = retries.due_s()
        for path in due(retries, now_s):
            retries.record(waits(path), now_s)
    assert not retries.pending()
    assert not retries.may_try(A, identity(), 1e9)


def test_one_pass_gives_up_a_failed_photo_whose_folder_cannot_be_used() -> None:
    retries = Retries(for_ever=False)
    for _ in range(TRIES_OF_ONE_PASS):
        photo = waits(A, "_failed")
        photo.judgement = replace(photo.judgement, fault=PhotoError(Reason.CORRUPT, "torn"))
        retries.record(photo, 0.0)
    assert not retries.pending()


def test_places_are_told_with_the_reason_of_the_first_that_waits() -> None:
    places = BlockedPlaces()
    assert places.add(A, "sea", "first") == []
    assert places.add(B, "sea", "second") == []
    assert places.add(A, "sea", "later") == []
    assert places.told() == [Blocked("sea", 2, "later")]
    assert (places.holds(A), places.holds(B)) == (False, True)
    assert places.drop(A) == [B]
    assert places.free("sea") == [B]
    assert (places.told(), places.free("sea"), places.drop(B)) == ([], [], [])


def judged(path: Path) -> Photo:
    photo = scored(path)
    photo.filing = Filing(Outcome.AGAIN, "red")
    photo.times_ms = {"decode": 5.0, "file": 1.0}
    return photo


def test_what_is_known_of_a_photo_that_waits_serves_again_while_file_and_model_are_the_same(tmp_path: Path) -> None:
    path, memory = write(tmp_path / "a.jpg", plain("red")), Remembered()
    before = judged(path)
    memory.keep([before])
    again = photo_of(path)
    assert memory.recall(again, "m", EMPTY)
    assert (again.read, again.judgement) == (before.read, before.judgement)
    assert again.times_ms == {"decode": 5.0}
    assert not memory.recall(again, "m", EMPTY)  # it is kept again when it comes back


def rewritten(path: Path) -> None:
    write(path, plain("blue"))


def edited_keeping_its_time(path: Path) -> None:
    status = path.stat()
    write(path, bytes(reversed(path.read_bytes())))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def removed(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize(
    "change", [rewritten, edited_keeping_its_time, removed, "another model", "other words", "filed meanwhile"]
)
def test_what_is_known_of_another_file_or_by_another_model_or_other_words_serves_not(
    tmp_path: Path, change: object
) -> None:
    path, memory = write(tmp_path / "a.jpg", plain("red")), Remembered()
    before = judged(path)
    if change == "filed meanwhile":
        before.filing.outcome = Outcome.FILED
    memory.keep([before])
    again = photo_of(path)
    if callable(change):
        change(path)
    words = Words() if change == "other words" else EMPTY
    assert not memory.recall(again, "other" if change == "another model" else "m", words)
    assert again.read.sha256 == ""


def test_memory_of_photos_that_wait_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "MAX_REMEMBERED", 2)
    memory = Remembered()
    photos = [judged(write(tmp_path / f"{number}.jpg", unique("red", number))) for number in range(3)]
    memory.keep(photos)
    known = [memory.recall(photo_of(photo.path), "m", EMPTY) for photo in photos]
    assert known == [False, True, True]


@pytest.mark.parametrize("code", [errno.EIO, errno.EROFS, errno.EUCLEAN, errno.ENXIO])
@pytest.mark.parametrize("whole", [True, False])
def test_an_output_that_fails_as_a_whole_is_a_pause_and_one_folder_of_it_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, whole: bool
) -> None:
    inbox, output = roots(tmp_path)
    photos = [scored(write(inbox / f"{colour}.jpg", plain(colour)), colour) for colour in ("red", "blue")]
    real = filing.rename_noreplace  # type: ignore[attr-defined]

    def failing(source: Path, target: Path) -> None:
        if whole or target.parent.name == "red":
            raise OSError(code, os.strerror(code))
        real(source, target)

    clock = HandClock()
    with opened_filer(output, tmp_path / "l", clock) as filer:
        with monkeypatch.context() as broken:
            broken.setattr(filing, "rename_noreplace", failing)
            broken.setattr("daemon.filing.pause.rename_noreplace", failing)
            filer.file(photos)
        assert (filer.pause.reason != "") == whole
        assert photos[0].filing.outcome is Outcome.AGAIN
        assert (photos[0].filing.waits_for, photos[1].filing.outcome) == (
            ("", Outcome.AGAIN) if whole else ("red", Outcome.FILED)
        )
        if whole:
            assert photos[0].filing.reason == f"the output {output} fails ({os.strerror(code)})"
        filer.file([scored(path, path.stem) for path in inbox.iterdir()])
        assert filer.pause.reason == ""
    assert set(tree(output)) == {"red/red.jpg", "blue/blue.jpg"}
    assert [path.name for path in output.iterdir() if path.name.endswith(".part")] == []


def test_a_photo_that_may_not_be_moved_waits_alone_and_not_for_its_class(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox, output = roots(tmp_path)
    photo, other = (scored(write(inbox / f"{number}.jpg", unique("red", number)), "red") for number in range(2))
    real = filing.rename_noreplace  # type: ignore[attr-defined]

    def immutable(source: Path, target: Path) -> None:
        if source == photo.path:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
        real(source, target)

    monkeypatch.setattr(filing, "rename_noreplace", immutable)
    with opened_filer(output, tmp_path / "l") as filer:
        filer.file([photo, other])
    assert (photo.filing.outcome, photo.filing.waits_for) == (Outcome.AGAIN, str(photo.path))
    assert other.filing.outcome is Outcome.FILED


@pytest.mark.system("mount", "umount", root=True)
def test_photos_of_a_folder_that_lets_nothing_go_wait_for_it_and_not_for_their_class(tmp_path: Path) -> None:
    inbox, output = roots(tmp_path)
    with mounted(inbox / "card", "-t", "tmpfs", "memory") as card:
        photo = scored(write(card / "a.jpg", plain("red")), "red")
        photo.found = replace(photo.found, relpath=Path("card"))
        subprocess.run(["mount", "-o", "remount,ro", str(card)], check=True)
        with opened_filer(output, tmp_path / "l") as filer:
            filer.file([photo])
        assert (photo.filing.outcome, photo.filing.waits_for) == (Outcome.AGAIN, str(card))
        assert photo.filing.reason == f"{card} cannot be written (Read-only file system)"


def test_a_photo_that_leaves_its_folder_frees_those_that_wait_for_the_folder() -> None:
    retries = Retries(for_ever=True)
    for path in (A, B):
        retries.record(waits(path, str(A.parent)), 0.0)
    retries.record(waits(C), 0.0)
    retries.record(photo_of(A, identity(), outcome=Outcome.FILED, folder="red", destination=Path("/out/red/a")), 1)
    assert due(retries, 1.0) == [B, C]
    assert retries.blocked() == [Blocked("sea", 1, "sea!")]


def status(inbox: Path) -> "subprocess.CompletedProcess[str]":
    words = command("status", "--inbox", inbox)
    return subprocess.run(words, capture_output=True, text=True, timeout=60, env=environment())


def reads(trace: Path, photo: Path) -> int:
    """Count the reads of a photo's content in a trace."""
    return sum(f"<{photo}>" in line for line in trace.read_text(errors="replace").splitlines() if "read" in line)


@pytest.mark.system("strace")
def test_what_waits_for_its_place_is_not_read_again_is_told_about_and_all_are_filed_when_it_is_free(
    tmp_path: Path,
) -> None:
    inbox, output, trace = tmp_path / "in", tmp_path / "out", tmp_path / "trace"
    inbox.mkdir()
    output.mkdir()
    write(output / "red", b"a file where a folder belongs")
    photos = {f"{number}.jpg": unique("red", number) for number in range(3)}
    for name, data in photos.items():
        write(inbox / name, data, mtime_s=1e9)
    options = ("--inbox", inbox, "--output", output, "--model", model_file(tmp_path))
    calls = ("-e", "trace=read,pread64,mkdir")
    words = ["strace", "-f", "-y", "-qq", "-o", str(trace), *calls, *command("watch", *options)]
    running = subprocess.Popen(words, env=environment(), stderr=subprocess.PIPE, start_new_session=True)
    try:
        wait_until(
            lambda: trace.exists() and trace.read_text(errors="replace").count("/red") >= 3 + 2, "two tries more"
        )
        told = status(inbox)
        assert told.returncode == 3, told.stdout
        assert "degraded" in told.stdout
        assert "3 photos cannot be filed now: " in told.stdout
        assert f"{output}/red cannot be used (File exists)" in told.stdout
        before = [reads(trace, inbox / name) for name in photos]
        (output / "red").unlink()
        wait_until(lambda: len(tree(inbox)) == 0, "all are filed")
        assert [reads(trace, inbox / name) for name in photos] == before
        assert status(inbox).returncode == 0
        pid = int(Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text())
        os.kill(pid, signal.SIGTERM)
        assert running.wait(60) == 0
    finally:
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGKILL)
        running.communicate()
    assert {Path(name).name: data for name, data in tree(output).items()} == photos


def test_a_photo_that_waits_for_its_own_doubt_is_counted_once() -> None:
    doubt, waiting = Blocked("/out/a.jpg", 1, "cannot be seen"), Blocked("/out/a.jpg", 1, "as above")
    assert merge_blocked([doubt], [Blocked("sea", 2, "x"), waiting]) == [waiting, Blocked("sea", 2, "x")]
