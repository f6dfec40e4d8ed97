"""Kills at system calls, a disk that fills up and a mount that goes: real ones, made from outside the process."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.filing.move import move
from daemon.intake.filters import PathFilter
from daemon.intake.watcher import Watcher
from tests.colour_model import LABELS
from tests.daemon.support import (
    command,
    digest,
    environment,
    identity_of,
    model_file,
    opened_ledger,
    plain,
    run,
    tree,
    unique,
    wait_until,
    write,
)

# System call and the how-manieth of it, in one thread, at which the process is killed. The first two renames
# publish the markers.
KILLS = {
    "one file system": [
        ("renameat2", 1), ("mkdir", 2), ("renameat2", 2), ("renameat2", 6), ("fdatasync", 1), ("fdatasync", 5),
        ("fsync", 2), ("pwrite64", 5), ("pwrite64", 12), ("unlink", 1),
    ],
    "two file systems": [
        ("renameat2", 3), ("renameat2", 6), ("fsync", 3), ("fsync", 5), ("unlink", 3), ("unlink", 5), ("fdatasync", 4),
    ],
}  # fmt: skip


@pytest.mark.system("strace")
@pytest.mark.parametrize("where", KILLS)
def test_after_kills_at_every_step_each_photo_is_whole_in_one_place_and_the_ledger_agrees(
    tmp_path: Path, request: pytest.FixtureRequest, where: str
) -> None:
    inbox = tmp_path / "in"
    output = tmp_path / "out" if where == "one file system" else request.getfixturevalue("elsewhere") / "out"
    ledger = tmp_path / "state" / "ledger.sqlite"
    inbox.mkdir()
    options = ("sort", "--inbox", inbox, "--output", output, "--model", model_file(tmp_path))
    state = {"STATE_DIRECTORY": str(ledger.parent)}
    photos: dict[str, bytes] = {}
    for call, when in KILLS[where]:
        for number in range(len(photos), len(photos) + 6):
            data = photos[f"{number}.jpg"] = unique(LABELS[number % 3], number)
            write(inbox / f"{number}.jpg", data)
        inject = ["-e", f"trace={call}", "-e", f"inject={call}:signal=SIGKILL:when={when}"]
        words = ["strace", "-f", "-qq", "-o", os.devnull, *inject, *command(*options)]
        killed = subprocess.run(words, env=environment(TMPDIR=str(tmp_path), **state), capture_output=True, timeout=60)
        assert killed.returncode in (-9, 137), f"{call} {when}: not killed, but {killed.returncode} {killed.stderr!r}"
        there = {data for name, data in (tree(inbox) | tree(output)).items() if not Path(name).name.startswith(".")}
        assert there == set(photos.values()), f"after the kill at {call} {when}"
    done = run(*options, env=state)
    assert done.returncode == 0, done.stderr
    filed = {f"{LABELS[int(Path(name).stem) % 3]}/{name}": data for name, data in photos.items()}
    assert tree(output) == filed
    assert tree(inbox) == {}
    assert list(output.rglob("*phototriage-part")) == []
    with opened_ledger(ledger) as book:
        rows = book._connection.execute("SELECT destination, state FROM photos").fetchall()
    assert sorted(rows) == sorted((os.fsencode(output / name), "filed") for name in filed)


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
def test_a_copy_onto_a_full_file_system_leaves_the_photo_whole_and_no_rest(tmp_path: Path, small_disk: Path) -> None:
    photo = plain("red") + os.urandom(2 << 20)
    source = write(tmp_path / "a.jpg", photo)
    with pytest.raises(OSError, match="No space left"):
        move(source, identity_of(source), digest(photo), small_disk / "a.jpg")
    assert source.read_bytes() == photo
    assert list(small_disk.iterdir()) == []


@pytest.mark.system("mount", "umount", root=True)
def test_an_output_that_is_full_holds_up_what_does_not_fit_and_files_it_when_there_is_room(
    tmp_path: Path, small_disk: Path
) -> None:
    (tmp_path / "in").mkdir()
    big = plain("red") + bytes(700 << 10)
    for name in ("1.jpg", "2.jpg"):
        write(tmp_path / "in" / name, big)
    options = ("sort", "--inbox", tmp_path / "in", "--output", small_disk / "out", "--model", model_file(tmp_path))
    done = run(*options)
    assert done.returncode == 1
    assert "No space left on device" in done.stdout
    (filed,) = tree(small_disk / "out")
    (left,) = tree(tmp_path / "in")
    assert {Path(filed).name, left} == {"1.jpg", "2.jpg"}
    shutil.move(small_disk / "out" / filed, tmp_path / "further")
    assert run(*options).returncode == 0
    assert tree(small_disk / "out") == {f"red/{left}": big}


@pytest.mark.system("mount", "umount", root=True)
def test_a_watch_on_a_mount_that_went_is_not_well_also_when_it_is_back(tmp_path: Path, small_disk: Path) -> None:
    def ignore(*_: object) -> None:
        pass

    watcher = Watcher(
        PathFilter(small_disk), ignore, ignore
    )  # its own watch, and no file, is what holds on to the mount
    try:
        assert watcher.is_well()
        kept = tmp_path / "kept"
        kept.mkdir()
        subprocess.run(["mount", "--bind", str(small_disk), str(kept)], check=True)
        subprocess.run(["umount", str(small_disk)], check=True)
        assert not watcher.is_well()
        subprocess.run(["umount", str(kept)], check=True)  # the last of it: now the kernel takes the watch away
        wait_until(lambda: watcher._descriptor.ended, "the end of the watch")
    finally:
        watcher.close()
