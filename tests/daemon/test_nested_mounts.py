"""What is mounted inside a recursive inbox is treated by its own mount: how long it is waited for, and when it goes."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.files.marker import MARKER
from daemon.files.mounts import mounts_in
from daemon.intake.inbox_mounts import survey
from tests.daemon.share import TOOLS, share
from tests.daemon.support import daemon, model_file, tree, unique, wait_until, write

pytestmark = [pytest.mark.system("mount", "umount", *TOOLS, root=True)]


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Path]:
    """An inbox with a tmpfs, a bind mount and a plain folder in it; in the tmpfs lies one more, with a hard name."""
    folder = tmp_path / "in"
    for name in ("memory", "bound", "plain"):
        (folder / name).mkdir(parents=True)
    (tmp_path / "same disk").mkdir()
    memory(folder / "memory")
    subprocess.run(["mount", "--bind", str(tmp_path / "same disk"), str(folder / "bound")], check=True)
    (folder / "memory" / "in ner\\x").mkdir()
    memory(folder / "memory" / "in ner\\x")
    yield folder
    for path in ("memory/in ner\\x", "memory", "bound"):
        subprocess.run(["umount", "--lazy", str(folder / path)], check=False, stderr=subprocess.DEVNULL)


def memory(folder: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "phototriage-test", str(folder)], check=True)


def options(folder: Path) -> tuple[str | Path, ...]:
    paths = ("--inbox", folder / "in", "--output", folder / "out", "--model", model_file(folder))
    return (*paths, "--recursive")


def put(folder: Path, number: int, name: str = "") -> Path:
    """Put a red photo in at one stroke."""
    write(folder / ".new", unique("red", number)).rename(folder / f"{name or number}.jpg")
    return folder / f"{name or number}.jpg"


def test_each_folder_is_far_or_near_by_its_own_mount(tmp_path: Path, inbox: Path) -> None:
    (tmp_path / "out").mkdir()
    assert sorted(mounts_in(inbox)) == [inbox / "bound", inbox / "memory", inbox / "memory" / "in ner\\x"]
    ground = survey(inbox, tmp_path / "out", recursive=True, events_unreliable=False)
    far = {
        path: ground.slow_settle(inbox / path) for path in (".", "plain", "bound", "memory", "memory/in ner\\x/deep")
    }
    assert far == {".": False, "plain": False, "bound": True, "memory": True, "memory/in ner\\x/deep": True}
    assert ground.any_slow_settle()
    assert ground.why_polled() == ""  # the kernel announces what happens on these
    assert not survey(inbox, tmp_path / "out", recursive=False, events_unreliable=False).any_slow_settle()


def test_an_output_with_a_mount_in_it_is_far_from_all(tmp_path: Path, inbox: Path) -> None:
    ground = survey(tmp_path / "same disk", inbox, recursive=True, events_unreliable=False)
    assert ground.slow_settle(tmp_path / "same disk")


def test_photos_of_all_mounts_are_filed_each_after_the_wait_that_its_mount_needs(tmp_path: Path, inbox: Path) -> None:
    places = {"plain": 0.0, "bound": 2000.0, "memory": 2000.0}
    for number, place in enumerate(places):
        put(inbox / place, number)
    with daemon(*options(tmp_path)) as running:
        events = running.photos({"0.jpg", "1.jpg", "2.jpg"})
        for number, (place, wait_ms) in enumerate(places.items()):
            assert events[f"{number}.jpg"]["times_ms"]["wait"] >= wait_ms, place
        put(inbox / "memory", 3)  # announced: nothing to wait for
        running.photos({"3.jpg"})
        assert running.stop() == 0
    assert tree(tmp_path / "out") == {
        f"red/{place}/{number}.jpg": unique("red", number) for number, place in enumerate([*places, "memory"])
    }


def test_a_mount_inside_that_goes_and_comes_back_loses_nothing(tmp_path: Path, inbox: Path) -> None:
    with daemon(*options(tmp_path)) as running:
        running.ready()
        put(inbox / "memory", 0)
        wait_until(lambda: (tmp_path / "out" / "red" / "memory" / "0.jpg").exists(), "the photo before")
        kept = tmp_path / "kept"
        kept.mkdir()
        subprocess.run(["mount", "--bind", str(inbox / "memory"), str(kept)], check=True)
        subprocess.run(["umount", "--lazy", str(inbox / "memory")], check=True)
        put(kept, 1)
        put(inbox, 2)
        wait_until(lambda: (tmp_path / "out" / "red" / "2.jpg").exists(), "a photo beside it while it is away")
        assert tree(kept) == {"1.jpg": unique("red", 1)}
        subprocess.run(["mount", "--bind", str(kept), str(inbox / "memory")], check=True)
        subprocess.run(["umount", "--lazy", str(kept)], check=True)
        wait_until(lambda: (tmp_path / "out" / "red" / "memory" / "1.jpg").exists(), "what came meanwhile")
        put(inbox / "memory", 3)
        running.photos({"3.jpg"})
        assert running.stop() == 0
    wanted = {"red/memory/0.jpg": 0, "red/2.jpg": 2, "red/memory/1.jpg": 1, "red/memory/3.jpg": 3}
    assert tree(tmp_path / "out") == {name: unique("red", number) for name, number in wanted.items()}
    assert not (inbox / "memory" / MARKER).exists()


def test_a_share_inside_is_said_and_looked_through(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    arguments = (*options(tmp_path), "--ignore", "server")  # which lies beside the mount
    with share(tmp_path / "in", "dcache_dir_timeout=1") as there, daemon(*arguments) as running:
        wait_until(lambda: any("mounted lies on a share (fuse.sshfs)" in line for line in running.errors), "a word")
        put(there.server_side, 0, "unseen")
        wait_until(lambda: (tmp_path / "out" / "red" / "mounted" / "unseen.jpg").exists(), "what no event announced")
        assert running.stop() == 0
