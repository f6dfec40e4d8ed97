"""On a real network share: what its server does unseen is found, nothing half-written is taken, nothing is lost."""

import threading
import time
from pathlib import Path

import pytest

from daemon.files.mounts import mount_of
from daemon.files.rename import rename_noreplace
from daemon.ledger.movers import Mover
from tests.daemon.share import TOOLS, Share, share
from tests.daemon.support import (
    Daemon,
    daemon,
    intent,
    model_file,
    opened_ledger,
    plain,
    run,
    tree,
    unique,
    wait_until,
    write,
)

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


def state_on(there: Share) -> dict[str, str]:
    (there.server_side / "state").mkdir()
    return {"XDG_STATE_HOME": str(there.mounted / "state")}


def journal(there: Share) -> tuple[int, list[str]]:
    """Return how the ledger on a server is written (1: a rollback journal, 2: a write-ahead log), and its files."""
    (ledger,) = there.server_side.rglob("ledger.sqlite")
    return ledger.read_bytes()[18], sorted(path.name for path in ledger.parent.glob("ledger.sqlite*"))


def test_a_ledger_on_a_share_has_no_log_is_said_and_is_read_while_and_after_a_daemon_runs(tmp_path: Path) -> None:
    with share(tmp_path, FRESH) as there:
        arguments, where = options(tmp_path / "in", tmp_path / "out", tmp_path), state_on(there)
        wanted = put(tmp_path / "in", range(3))
        with daemon(*arguments, env=where) as running:
            running.photos({f"{number}.jpg" for number in range(3)})
            assert said(running, "lies on a share, so it is written without a write-ahead log")
            assert run("history", "--json", env=where).stdout.count("\n") == 3
            assert journal(there)[0] == 1
            assert running.stop() == 0
        assert journal(there) == (1, ["ledger.sqlite"])
        assert run("history", "--json", env=where).stdout.count("\n") == 3
        assert run("undo", "--last", "3", env=where).returncode == 0
        assert tree(tmp_path / "in") == {Path(name).name: data for name, data in wanted.items()}


def test_a_ledger_with_a_log_that_lies_on_a_share_loses_the_log_and_no_row(tmp_path: Path) -> None:
    with share(tmp_path, FRESH) as there:
        source = write(tmp_path / "a.jpg", plain("red"))
        with opened_ledger(there.server_side / "ledger.sqlite") as ledger:
            ledger.intend([intent(source, tmp_path / "b.jpg")], 1.0)
        assert journal(there)[0] == 2
        with opened_ledger(there.mounted / "ledger.sqlite") as ledger:
            assert [one.source for one in ledger.open_intents(Mover.DAEMON).values()] == [source]
        assert journal(there) == (1, ["ledger.sqlite"])


@pytest.mark.system("strace", *TOOLS, root=True)
def test_a_kill_in_the_middle_of_a_commit_on_a_share_loses_nothing(tmp_path: Path) -> None:
    """SQLite commits when it removes the rollback journal; there the process is killed."""
    with share(tmp_path, FRESH) as there:
        arguments, where = options(tmp_path / "in", tmp_path / "out", tmp_path), state_on(there)
        assert run("sort", *arguments, env=where).returncode == 0
        (ledger,) = there.mounted.rglob("ledger.sqlite")
        wanted = put(tmp_path / "in", range(4))
        trace = ("strace", "-f", "-qq", "-o", "/dev/null", "-P", f"{ledger}-journal")
        kill = ("-e", "inject=unlink:signal=SIGKILL:when=2")
        with daemon(*arguments, env=where, verb="sort", prefix=(*trace, *kill)) as running:
            assert running.wait() != 0
        assert journal(there) == (1, ["ledger.sqlite", "ledger.sqlite-journal"])
        assert run("history", "--json", env=where).returncode == 0
        assert run("sort", *arguments, env=where).returncode == 0
        assert journal(there) == (1, ["ledger.sqlite"])
        assert run("history", "--json", env=where).stdout.count("\n") == 4
    assert tree(tmp_path / "out") == wanted


def test_filing_goes_on_when_the_server_of_the_ledger_comes_back(tmp_path: Path) -> None:
    with share(tmp_path, FRESH) as there:
        arguments, where = options(tmp_path / "in", tmp_path / "out", tmp_path), state_on(there)
        with daemon(*arguments, env=where) as running:
            running.ready()
            wanted = put(tmp_path / "in", range(10))
            wait_until(lambda: len(tree(tmp_path / "out")) > 3, "the first photos")
            there.kill_server()
            wanted |= put(tmp_path / "in", range(10, 20))
            running.until(lambda event: event.get("outcome") == "again", "photos that wait")
            there.serve()
            wait_until(lambda: not list((tmp_path / "in").glob("*.jpg")), "all photos")
            assert running.stop() == 0, "".join(running.errors)
        assert tree(tmp_path / "out") == wanted
        assert run("history", "--json", env=where).stdout.count("\n") == 20
