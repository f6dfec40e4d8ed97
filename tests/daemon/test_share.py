"""On a real network share: what its server does unseen is found, nothing half-written is taken, nothing is lost."""

import threading
import time
from pathlib import Path

import pytest

from daemon.files.mounts import mount_of
from daemon.files.rename import rename_noreplace
from tests.daemon.share import TOOLS, share
from tests.daemon.support import Daemon, daemon, model_file, plain, run, tree, unique, wait_until, write

pytestmark = [pytest.mark.system(*TOOLS, root=True)]
FRESH = "dcache_dir_timeout=1"
"""Without it sshfs lists a folder anew every 20 s only, which a test need not wait for."""


def options(inbox: Path, output: Path, folder: Path) -> tuple[str | Path, ...]:
    for path in (inbox, output):
        path.mkdir(exist_ok=True)
    return ("--inbox", inbox, "--output", output, "--model", model_file(folder))


def put(folder: Path, numbers: range) -> dict[str, bytes]:
    """Put red photos into a folder, each at one stroke; returns where they must be found in the output."""
    for number in numbers:
        write(folder / f".{number}", unique("red", number)).rename(folder / f"{number}.jpg")
    return {f"red/{number}.jpg": unique("red", number) for number in numbers}


def said(running: Daemon, word: str) -> bool:
    return any(word in line for line in running.errors)


def test_a_share_is_known_and_nothing_is_overwritten_whatever_it_can_do(tmp_path: Path) -> None:
    for number, kind in enumerate(("", "disable_hardlink")):
        folder = tmp_path / str(number)
        folder.mkdir()
        with share(folder, *filter(None, [kind])) as there:
            mount = mount_of(there.mounted)
            assert mount is not None
            assert mount.is_share
            mine, taken = there.mounted / "mine", there.mounted / "taken"
            write(mine, b"mine")
            assert not taken.exists()
            write(there.server_side / "taken", b"theirs")  # the client believes that the name is free
            with pytest.raises(OSError, match="taken"):
                rename_noreplace(mine, taken)
            assert tree(there.server_side) == {"mine": b"mine", "taken": b"theirs"}
            rename_noreplace(mine, there.mounted / "free")
            assert tree(there.server_side) == {"free": b"mine", "taken": b"theirs"}


def test_what_the_server_writes_is_found_and_only_taken_when_it_is_whole(tmp_path: Path) -> None:
    """What the client knows of the growing file is 20 s old; the copy and the removal of half a file would lose it."""
    with share(tmp_path) as there:
        inbox = there.server_side / "in"
        arguments = options(inbox, tmp_path / "out", tmp_path)
        growing = write(inbox / "slow.jpg", plain("red"))

        def write_on() -> None:
            with growing.open("ab", buffering=0) as file:
                for _ in range(12):
                    time.sleep(0.5)
                    file.write(b"more")

        writer = threading.Thread(target=write_on)
        writer.start()
        with daemon(*("--inbox", there.mounted / "in", *arguments[2:])) as running:
            wait_until(lambda: said(running, "lies on a share (fuse.sshfs)"), "a word about the share")
            wait_until(lambda: len(tree(tmp_path / "out")) == 1, "the photo")
            writer.join()
            assert running.stop() == 0
    assert tree(tmp_path / "out") == {"red/slow.jpg": plain("red") + 12 * b"more"}


@pytest.mark.parametrize("role", ["inbox", "output", "both"])
def test_a_server_that_dies_and_comes_back_pauses_the_filing_and_nothing_is_lost_or_twice(
    tmp_path: Path, role: str
) -> None:
    (tmp_path / "out").mkdir()
    with share(tmp_path, FRESH) as there:
        places = {"in": tmp_path / "in", "out": tmp_path / "out"}
        if role != "output":
            places["in"] = there.server_side / "in"
        if role != "inbox":
            places["out"] = there.server_side / "out"
        options(places["in"], places["out"], tmp_path)
        seen = {
            name: there.mounted / name if there.server_side in path.parents else path for name, path in places.items()
        }
        with daemon("--inbox", seen["in"], "--output", seen["out"], "--model", tmp_path / "colours.onnx") as running:
            running.ready()
            wanted = put(places["in"], range(40))
            wait_until(lambda: len(list(places["out"].glob("red/*.jpg"))) > 3, "the first photos")
            there.kill_server()
            wanted |= put(places["in"], range(40, 50))
            if role == "output":
                running.until(lambda event: event.get("outcome") == "again", "photos that wait")
            else:
                wait_until(lambda: said(running, "cannot be read (Input/output error)"), "a word about it")
            there.serve()
            wait_until(lambda: not list(places["in"].glob("*.jpg")), "all photos")
            assert running.stop() == 0, "".join(running.errors)
        assert tree(places["out"]) == wanted


def test_copies_are_not_made_again_when_the_share_was_mounted_anew(tmp_path: Path) -> None:
    with share(tmp_path) as there:
        arguments = options(there.mounted / "in", tmp_path / "out", tmp_path)
        wanted = put(there.mounted / "in", range(3))
        for _ in range(2):
            assert run("sort", *arguments, "--mode", "copy").returncode == 0
            assert tree(tmp_path / "out") == wanted
            there.unmount()
            put(there.server_side / "in", range(10, 12))  # so that the numbers of files are others
            there.mount()
            wanted = wanted | put(there.server_side / "in", range(10, 12))
