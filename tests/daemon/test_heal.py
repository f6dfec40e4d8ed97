"""What happens to a living inbox - a deaf kernel, floods, removals, mounts - is said once and healed by itself."""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from daemon.files.identity import Identity
from daemon.files.mounts import Mount, mount_of, mount_that_is_away
from daemon.intake.filters import PathFilter
from daemon.intake.settle import Settler, Trigger
from daemon.intake.walk import MARKER
from daemon.intake.watcher import CANARY, Watcher
from daemon.ledger.recorded_roots import Root
from daemon.ledger.state_folder import state_folder
from daemon.roots import InboxLock, MountMissingError, RootError, check_roots
from tests.daemon.conftest import Stranger
from tests.daemon.support import (
    DEADLINE_S,
    Daemon,
    command,
    daemon,
    environment,
    identity,
    model_file,
    opened_ledger,
    plain,
    run,
    tree,
    unique,
    wait_until,
    write,
)


def options(folder: Path) -> tuple[str | Path, ...]:
    (folder / "in").mkdir(exist_ok=True)
    return ("--inbox", folder / "in", "--output", folder / "out", "--model", model_file(folder))


def filed(folder: Path, name: str) -> bool:
    return (folder / "out" / "red" / name).exists()


def drop(folder: Path, name: str) -> None:
    """Put a photo in at one stroke."""
    write(folder / name, unique("red", len(name))).rename(folder / "in" / name)


def sentences(running: Daemon, word: str) -> list[str]:
    return [line for line in running.errors if word in line]


def test_the_kind_of_a_mount_is_that_of_the_folder(tmp_path: Path, elsewhere: Path) -> None:
    proc = mount_of(Path("/proc"))
    assert proc is not None
    assert proc.kind == "proc"
    here, there = mount_of(tmp_path), mount_of(elsewhere)
    assert here is not None
    assert there is not None
    assert here.number != there.number
    assert not here.is_share
    assert mount_of(tmp_path / "gone") is None


@pytest.mark.parametrize(
    ("kind", "share"),
    [("ext4", False), ("fuseblk", False), ("overlay", False), ("nfs4", True), ("cifs", True), ("fuse.sshfs", True)],
)
def test_shares_are_known_by_their_type(kind: str, share: bool) -> None:
    assert Mount(1, kind).is_share is share


def test_what_is_found_far_away_must_look_the_same_for_two_seconds_and_what_is_announced_not() -> None:
    settler, path = Settler(), Path("/in/a.jpg")
    for far, sign, wait_s in (
        (True, Trigger.FOUND, 2.0), (False, Trigger.FOUND, 0.25), (True, Trigger.CLOSED, 0.05),
        (True, Trigger.MOVED_IN, 0.0),
    ):  # fmt: skip
        settler.see(path, identity(), sign, 10.0, slow=far)
        assert settler.next_due_s() == pytest.approx(10.0 + wait_s)
        assert settler.look(path, identity(), 10.0 + wait_s) is not None


def test_photos_that_will_cross_file_systems_are_filed_too_when_found(tmp_path: Path, elsewhere: Path) -> None:
    (tmp_path / "in").mkdir()
    write(tmp_path / "in" / "a.jpg", plain("red"))
    done = run("sort", "--inbox", tmp_path / "in", "--output", elsewhere / "out", "--model", model_file(tmp_path))
    assert done.returncode == 0, done.stderr
    assert tree(elsewhere / "out") == {"red/a.jpg": plain("red")}


def test_a_file_of_ours_tells_whether_events_come_and_is_gone(tmp_path: Path) -> None:
    seen: list[Path] = []
    watcher = Watcher(PathFilter(tmp_path), lambda path, _: seen.append(path), lambda: None)
    try:
        assert not watcher.events_unreliable
        write(tmp_path / "a.jpg", b"x")
        wait_until(lambda: bool(seen), "a hint")
        assert [path.name for path in seen] == ["a.jpg"]
        assert not (tmp_path / CANARY).exists()
    finally:
        watcher.close()


def test_where_no_event_comes_the_inbox_is_looked_through_instead(
    tmp_path: Path, require: Callable[[str], str]
) -> None:
    """The kernel's answer to the wish for a watch is made up from outside: it looks granted, and never is."""
    tool = [require("strace"), "-f", "-qq", "-o", os.devnull, "-e", "trace=inotify_add_watch"]
    words = [*tool, "-e", "inject=inotify_add_watch:retval=1", *command("watch", *options(tmp_path))]
    running = subprocess.Popen(words, env=environment(), stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert running.stderr is not None
    try:
        while "the kernel reports no events for the inbox" not in (line := running.stderr.readline()):
            assert line
        drop(tmp_path, "a.jpg")
        wait_until(lambda: filed(tmp_path, "a.jpg"), "the photo that no event announced")
        drop(tmp_path, "another.jpg")
        wait_until(lambda: filed(tmp_path, "another.jpg"), "the next one")
    finally:
        os.killpg(running.pid, signal.SIGKILL)
        rest = running.communicate(timeout=DEADLINE_S)[1]
    assert "the kernel reports no events" not in rest


def test_a_flood_while_the_daemon_is_held_leaves_nothing_behind(tmp_path: Path) -> None:
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    if limit > 100_000:
        pytest.skip(f"the kernel's queue of {limit} events takes too long to fill")
    with daemon(*options(tmp_path)) as running:
        running.ready()
        noise = [tmp_path / "in" / name for name in (".a", ".b")]
        running.process.send_signal(signal.SIGSTOP)
        for number in range(limit + 1000):
            os.close(os.open(noise[number % 2], os.O_WRONLY | os.O_CREAT))
        for number in range(20):  # of these the kernel tells nothing any more
            write(tmp_path / "new", unique("red", number)).rename(tmp_path / "in" / f"{number}.jpg")
        running.process.send_signal(signal.SIGCONT)
        wait_until(lambda: len(tree(tmp_path / "out")) == 20, "all of them")
        assert running.stop() == 0
    assert tree(tmp_path / "out") == {f"red/{number}.jpg": unique("red", number) for number in range(20)}


def removed(inbox: Path) -> None:
    shutil.rmtree(inbox)


def moved_away(inbox: Path) -> None:
    inbox.rename(inbox.with_name("elsewhere"))


@pytest.mark.parametrize("go", [removed, moved_away])
def test_an_inbox_that_goes_and_is_made_anew_is_taken_watched_and_locked_again(
    tmp_path: Path, go: Callable[[Path], None]
) -> None:
    arguments = options(tmp_path)
    with daemon(*arguments) as running:
        running.ready()
        go(tmp_path / "in")
        wait_until(lambda: bool(sentences(running, "cannot be read")), "a word about it")
        (tmp_path / "in").mkdir()
        drop(tmp_path, "a.jpg")
        wait_until(lambda: filed(tmp_path, "a.jpg"), "the first photo after")
        assert (tmp_path / "in" / MARKER).exists()
        drop(tmp_path, "another.jpg")
        event = running.photos({"another.jpg"})["another.jpg"]
        assert event["outcome"] == "filed"
        second = run("sort", *arguments)
        assert "Another phototriage is already running on" in second.stderr
        assert len(sentences(running, "cannot be read")) == len(sentences(running, "can be read again")) == 1
        assert running.stop() == 0


def test_an_inbox_that_is_closed_and_opened_is_said_and_goes_on(stranger: Stranger) -> None:
    folder = stranger.folder
    words = [*stranger.prefix, *command("watch", "--json", *options(folder))]
    running = subprocess.Popen(words, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert running.stderr is not None
    try:
        drop(folder, "first.jpg")
        wait_until(lambda: filed(folder, "first.jpg"), "the first photo")
        (folder / "in").chmod(0)
        assert "cannot be read (Permission denied)" in running.stderr.readline()
        (folder / "in").chmod(0o755)
        drop(folder, "a.jpg")
        wait_until(lambda: filed(folder, "a.jpg"), "the photo after")
        assert running.stderr.readline() == "the inbox can be read again\n"
    finally:
        running.terminate()
        rest = running.communicate(timeout=DEADLINE_S)[1]
    assert rest.startswith("stopped; ") or not rest


def test_the_lock_follows_an_inbox_that_was_made_anew_and_refuses_a_bare_mount_point(tmp_path: Path) -> None:
    inbox, said = tmp_path / "in", list[str]()
    inbox.mkdir()
    with opened_ledger(tmp_path / "l") as ledger:
        lock = InboxLock(inbox, ledger.roots, said.append)
        lock.adopt()
        lock.check()
        first = lock.root.marker
        shutil.rmtree(inbox)
        lock.check()  # the scan says that it is gone
        inbox.mkdir()
        lock.check()
        assert lock.root.marker != first
        assert ledger.roots.get("inbox") == lock.root
        assert len(said) == 1
        with pytest.raises(RootError, match="Another phototriage"):
            InboxLock(inbox, ledger.roots)
        (inbox / MARKER).unlink()
        lock.root = lock.root._replace(mount=tmp_path)  # as after an unmount: its mount point is none now
        with pytest.raises(MountMissingError, match="nothing is mounted at"):
            lock.check()
        assert not (inbox / MARKER).exists()
        (inbox / MARKER).write_text('{"id": "of a first start while the disk was away"}')
        with pytest.raises(MountMissingError, match=r"another folder than .* nothing is mounted at"):
            lock.check()
        lock.close()


def test_a_root_below_a_mount_that_is_away_is_not_said_to_be_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = write(tmp_path / "fstab", f"# comment\nUUID=1 {tmp_path}/m\\040nt ext4 defaults 0 2\n".encode())
    mount = tmp_path / "m nt"
    mount.mkdir()
    assert mount_that_is_away(mount / "in", table) == mount
    assert mount_that_is_away(mount, table) == mount
    assert mount_that_is_away(tmp_path / "m nt2", table) is None
    assert mount_that_is_away(Path("/proc/x"), write(table, b"proc /proc proc\n")) is None
    assert mount_that_is_away(mount, tmp_path / "no table") is None
    (tmp_path / "in").mkdir()
    monkeypatch.setattr("daemon.roots.mount_that_is_away", lambda path: mount if path == mount / "x" else None)
    for inbox, output in ((mount / "x", tmp_path / "out"), (tmp_path / "in", mount / "x")):
        with pytest.raises(MountMissingError, match=r"is missing because nothing is mounted at .*\. Mount the disk"):
            check_roots(inbox, output)
    assert list(mount.iterdir()) == []


def test_an_inbox_that_vanished_with_its_mount_is_waited_for_and_not_asked_to_be_made(tmp_path: Path) -> None:
    """As after a disk was pulled whose mount point the system removes: only the ledger knows that it was there."""
    arguments = options(tmp_path)
    with opened_ledger(state_folder(tmp_path / "in") / "ledger.sqlite") as ledger:
        ledger.roots.record("inbox", Root("some id", tmp_path / "media", tmp_path / "in"))
    (tmp_path / "in").rmdir()
    once = run("sort", *arguments)
    assert once.returncode == 1
    assert "has lost its marker, and nothing is mounted at" in once.stderr
    with daemon(*arguments) as running:
        wait_until(lambda: bool(sentences(running, "paused: The inbox")), "the pause")
        (tmp_path / "in").mkdir()
        (tmp_path / "in" / MARKER).write_text('{"id": "some id"}')
        drop(tmp_path, "a.jpg")
        wait_until(lambda: filed(tmp_path, "a.jpg"), "the photo, once it is mounted")
        assert running.stop() == 0


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """An inbox that is a mount of its own."""
    folder = tmp_path / "in"
    folder.mkdir()
    mount(folder)
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=False, stderr=subprocess.DEVNULL)


def mount(folder: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "phototriage-test", str(folder)], check=True)


@pytest.mark.system("mount", "umount", root=True)
def test_an_inbox_that_is_unmounted_pauses_and_goes_on_when_it_is_mounted_again(tmp_path: Path, disk: Path) -> None:
    with daemon(*options(tmp_path)) as running:
        running.ready()
        subprocess.run(["umount", "--lazy", str(disk)], check=True)
        wait_until(lambda: bool(sentences(running, "paused: The inbox")), "the pause")
        write(disk / "under the mount.jpg", plain("red"))
        mount(disk)
        shutil.copy(write(tmp_path / "a.jpg", plain("red")), disk)
        wait_until(lambda: filed(tmp_path, "a.jpg"), "what came after the mount")
        wait_until(lambda: bool(sentences(running, "the inbox is back")), "the word that it is back")
        assert len(sentences(running, "paused: ")) == 1
        assert running.stop() == 0
    subprocess.run(["umount", str(disk)], check=True)
    assert tree(disk) == {"under the mount.jpg": plain("red")}


@pytest.mark.system("mount", "umount", root=True)
def test_a_folder_that_contains_itself_by_a_mount_is_scanned_to_an_end(tmp_path: Path) -> None:
    from daemon.intake.walk import scan

    inner = tmp_path / "in" / "inner"
    inner.mkdir(parents=True)
    write(tmp_path / "in" / "a.jpg", b"x")
    subprocess.run(["mount", "--bind", str(tmp_path / "in"), str(inner)], check=True)
    try:
        found = list(scan(PathFilter(tmp_path / "in", recursive=True)))
    finally:
        subprocess.run(["umount", str(inner)], check=True)
    assert found == [tmp_path / "in" / "a.jpg"]


def test_two_names_of_one_file_are_both_filed_and_none_twice(tmp_path: Path) -> None:
    arguments = options(tmp_path)
    photo = write(tmp_path / "in" / "a.jpg", plain("red"))
    os.link(photo, tmp_path / "in" / "b.jpg")
    who = Identity.of(photo.stat())
    assert run("sort", *arguments).returncode == 0
    assert tree(tmp_path / "out") == {"red/a.jpg": plain("red"), "red/b.jpg": plain("red")}
    assert tree(tmp_path / "in") == {}
    assert {Identity.of(path.stat()) for path in (tmp_path / "out" / "red").iterdir()} == {who}
