"""What holds up every photo is said once, tried again by itself, and fails none; one photo holds up no other."""

import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.files.marker import OUTPUT_AWAY
from daemon.filing import transfers as transfers_module
from daemon.filing.filer import Filer
from daemon.filing.pause import Pause, trouble_of_all
from daemon.intake.walk import MARKER
from daemon.photo import Mode, Outcome, Photo
from daemon.pipeline import FILE_TOGETHER
from daemon.process.cores import usable_cores
from daemon.process.log_level import Level
from tests.daemon.conftest import Stranger
from tests.daemon.support import (
    HandClock,
    command,
    daemon,
    environment,
    identity,
    model_file,
    opened_filer,
    opened_ledger,
    photo_of,
    plain,
    roots,
    saying,
    scored,
    tree,
    unique,
    wait_until,
    write,
)


def test_tries_get_rarer_one_photo_at_a_time_and_the_end_is_said_once() -> None:
    clock, said, levels = HandClock(0.0), list[str](), list[Level]()
    pause = Pause(clock, saying(said, levels))  # type: ignore[arg-type]
    assert (pause.room(72, 8), pause.left_s(5.0)) == (64, 5.0)
    waits = []
    for _ in range(6):
        pause.begin("full")
        pause.begin("full")  # another one that was on its way
        assert pause.room(72, 0) == 0
        waits.append(pause.left_s(60.0))
        clock.turn(waits[-1])
        assert (pause.room(72, 0), pause.room(72, 1), pause.left_s(5.0)) == (1, 0, 5.0)
    assert waits == [1.0, 2.0, 4.0, 8.0, 8.0, 8.0]
    pause.end()
    pause.end()
    assert said == ["filing resumed; it had been paused: full"]
    assert pause.room(72, 8) == 64


def a_photo(folder: Path) -> Photo:
    return photo_of(folder / "sub" / "a.jpg", identity(), relpath=Path("sub"))


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (errno.ENOSPC, "is full (No space left on device)"), (errno.EDQUOT, "is full (Disk quota exceeded)"),
        (errno.ESTALE, "is away"), (errno.EACCES, ""), (errno.EPERM, ""), (errno.EIO, ""), (errno.ENAMETOOLONG, ""),
    ],
)  # fmt: skip
def test_a_full_disk_is_everyones_trouble_and_a_forbidden_file_its_own(tmp_path: Path, code: int, said: str) -> None:
    trouble = trouble_of_all(OSError(code, os.strerror(code)), a_photo(tmp_path), tmp_path, Mode.MOVE)
    assert (said in trouble) if said else trouble == ""


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.ESTALE])
def test_a_class_folder_that_is_a_disk_of_its_own_is_full_or_away_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, elsewhere: Path, code: int
) -> None:
    inbox, output = roots(tmp_path)
    (output / "red").symlink_to(elsewhere)
    photos = [scored(write(inbox / f"{number}.jpg", unique("red", number)), "red") for number in range(2)]
    other = scored(write(inbox / "blue.jpg", plain("blue")), "blue")

    def failing(source: Path, target: Path) -> None:
        raise OSError(code, os.strerror(code))

    with opened_filer(output, tmp_path / "l") as filer:
        with monkeypatch.context() as broken:
            broken.setattr("daemon.filing.move.publish_copy", lambda *_, **__: failing(inbox, output))
            filer.file([*photos, other])
        assert filer.pause.reason == ""
        assert [(photo.filing.outcome, photo.filing.waits_for) for photo in photos] == 2 * [(Outcome.AGAIN, "red")]
        assert os.strerror(code) in photos[0].filing.reason
        with monkeypatch.context() as broken:
            broken.setattr("daemon.filing.move.rename_noreplace", failing)
            filer.file([scored(write(inbox / "green.jpg", plain("green")), "green")])
        assert filer.pause.reason != "", "what lies on the output's own disk is"
    assert set(tree(output)) == {"blue/blue.jpg"}


@pytest.mark.parametrize(
    ("locked", "mode", "role"),
    [("output", Mode.MOVE, "output"), ("inbox", Mode.MOVE, "inbox"), ("inbox", Mode.COPY, ""), ("", Mode.MOVE, "")],
)
def test_a_folder_that_may_not_be_written_is_named(stranger: Stranger, locked: str, mode: Mode, role: str) -> None:
    inbox, output = roots(stranger.folder)
    if locked:
        (stranger.folder / locked).chmod(0o555)
    done = stranger.python(
        "from daemon.filing.pause import trouble_of_all; from daemon.photo import Found, Identity, Mode, Photo\n"
        f"photo = Photo(Found(Path({str(inbox / 'a.jpg')!r}), Identity(1, 1, 1, 1)))\n"
        f"print(trouble_of_all(PermissionError(13, 'no'), photo, Path({str(output)!r}), Mode({mode.value!r})))"
    )
    wanted = f"the {role} {stranger.folder / role} cannot be written (no)\n" if role else "\n"
    assert done.stdout == wanted, done.stderr


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES])
def test_photos_stay_while_it_lasts_and_are_filed_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    inbox, output = roots(tmp_path)
    said: list[str] = []
    photos = [scored(write(inbox / f"{number}.jpg", unique("red", number))) for number in range(3)]

    def failing(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    with opened_ledger(tmp_path / "l") as ledger:
        filer = Filer(output, ledger, HandClock(), saying(said))  # type: ignore[arg-type]
        with monkeypatch.context() as broken:
            broken.setattr(transfers_module, "transfer", failing)
            filer.file(photos)
        assert {photo.filing.outcome for photo in photos} == {Outcome.AGAIN}
        reasons = {photo.filing.reason for photo in photos}
        assert (len(reasons) == 1) == bool(filer.pause.reason) == (code == errno.ENOSPC)
        filer.file(photos)
    assert {photo.filing.outcome for photo in photos} == {Outcome.FILED}
    assert len(said) == (code == errno.ENOSPC)
    assert not filer.pause.reason


MOST_UNDER_WAY = 4 * usable_cores() + 3 * FILE_TOGETHER


def test_a_daemon_without_its_output_reads_few_photos_says_it_once_and_goes_on_by_itself(tmp_path: Path) -> None:
    inbox, output = roots(tmp_path)
    with daemon("--inbox", inbox, "--output", output, "--model", model_file(tmp_path)) as one:
        one.ready()
        (output / MARKER).rename(tmp_path / "away")
        photos = {f"{number}.jpg": unique("red", number) for number in range(MOST_UNDER_WAY + 200)}
        for name, data in photos.items():
            write(tmp_path / name, data).rename(inbox / name)
        first = one.until(lambda event: event["event"] == "photo", "the first that is held up")
        assert (first["outcome"], first["reason"]) == ("again", OUTPUT_AWAY)
        (tmp_path / "away").rename(output / MARKER)
        filed: set[str] = set()
        while len(filed) < len(photos):
            event = one.until(lambda event: event["event"] == "photo" and event["outcome"] == "filed", "the rest")
            filed.add(Path(event["path"]).name)
        assert one.stop() == 0
    held_up = [event for event in one.events if event["event"] == "photo" and event["outcome"] == "again"]
    assert len(held_up) <= MOST_UNDER_WAY + 10  # who was on the way, and one at a time since
    assert sum("filing resumed" in line for line in one.errors) == 1
    assert {Path(name).name: data for name, data in tree(output).items()} == photos


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one mebibyte."""
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "phototriage-test", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=False)


@pytest.mark.system("mount", "umount", root=True)
@pytest.mark.parametrize("how", ["full", "read-only"])
def test_a_daemon_whose_output_is_full_or_read_only_waits_and_files_all_when_it_may(
    tmp_path: Path, small_disk: Path, how: str
) -> None:
    inbox, output = tmp_path / "in", small_disk / "out"
    inbox.mkdir()
    with daemon("--inbox", inbox, "--output", output, "--model", model_file(tmp_path)) as one:
        one.ready()
        if how == "full":
            write(small_disk / "filler", bytes(900 << 10))
        else:
            subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
        for number in range(3):
            write(inbox / f"{number}.jpg", plain("red") + bytes(200 << 10) + bytes([number]))
        reason = one.until(lambda event: event["event"] == "photo", "the first that is held up")["reason"]
        assert reason.startswith(f"the output {output} ")
        assert ("is full" if how == "full" else "cannot be written (Read-only file system)") in reason
        if how == "full":
            (small_disk / "filler").unlink()
        else:
            subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
        left = {"0.jpg", "1.jpg", "2.jpg"}
        while left:
            left.discard(
                Path(one.until(lambda event: event.get("outcome") == "filed", f"the filing of {left}")["path"]).name
            )
        assert one.stop() == 0
    assert sum("filing resumed" in line for line in one.errors) == 1
    assert sorted(path.name for path in (output / "red").iterdir()) == ["0.jpg", "1.jpg", "2.jpg"]
    assert tree(inbox) == {}


@pytest.mark.system("mount", "umount", root=True)
def test_a_pause_that_begins_with_a_damaged_photo_is_said_too(tmp_path: Path, small_disk: Path) -> None:
    inbox, output = tmp_path / "in", small_disk / "out"
    inbox.mkdir()
    options = ("--inbox", inbox, "--output", output, "--model", model_file(tmp_path), "--give-up-after", "1")
    words = command("watch", *options)
    running = subprocess.Popen(words, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        wait_until(lambda: (output / ".phototriage").exists(), "its start")
        write(small_disk / "filler", bytes(900 << 10))
        write(inbox / "broken.jpg", plain("red")[:200] + bytes(400 << 10))
        assert running.stdout is not None
        said = ""
        while "broken.jpg" not in said or "growing" in said:
            said = running.stdout.readline()
            assert said, "it ended"
        assert said.startswith("broken.jpg stays in the inbox for now, like others with this problem: the output ")
    finally:
        running.kill()
        running.communicate()
