"""What stands at the path of a root is held against what was adopted: nothing that is filed vanishes under a mount."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon.adopt import adopt, check_mounts
from daemon.files.marker import OUTPUT_AWAY, OUTPUT_OTHER, MountMissingError, OutputMarker, RootError, mark
from daemon.files.mount_points import is_mounted, mount_point
from daemon.intake.walk import MARKER
from daemon.ledger.ledger import Ledger
from daemon.ledger.movers import Mover
from daemon.ledger.recorded_roots import Root
from daemon.photo import Outcome
from daemon.roots import InboxLock
from daemon.undo import execute as back
from tests.daemon.house import House, ask, told
from tests.daemon.support import (
    daemon,
    identity_of,
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

ROLES = ("inbox", "output")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with opened_ledger(tmp_path / "state" / "l") as opened:
        yield opened


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


def words(ledger: Ledger, role: str, root: Path) -> list[str]:
    """Adopt a root; returns what was said."""
    said: list[str] = []
    adopt(ledger, role, root, said.append)
    return said


def marked(root: Path, name: str) -> None:
    (root / MARKER).write_text(f'{{"id": "{name}"}}')


@pytest.mark.parametrize("role", ROLES)
def test_the_first_root_and_the_same_again_are_taken_without_a_word(ledger: Ledger, root: Path, role: str) -> None:
    assert words(ledger, role, root) == words(ledger, role, root) == []
    known = ledger.roots.get(role)
    assert known == Root(mark(root, role), mount_point(root), root)


@pytest.mark.parametrize("role", ROLES)
def test_a_copy_of_a_root_is_that_root_wherever_it_lies(ledger: Ledger, root: Path, elsewhere: Path, role: str) -> None:
    """As from a backup, or on a new disk: the marker came along."""
    adopt(ledger, role, root)
    shutil.copytree(root, elsewhere / "root")
    shutil.rmtree(root)
    shutil.copytree(elsewhere / "root", root)
    assert words(ledger, role, root) == []


@pytest.mark.parametrize("role", ROLES)
def test_a_root_that_its_owner_replaced_is_taken_and_said_once_where_no_mount_takes_part(
    ledger: Ledger, root: Path, role: str
) -> None:
    adopt(ledger, role, root)
    marked(root, "restored")
    assert [f"the {role} {root} is another folder" in said for said in words(ledger, role, root)] == [True]
    assert words(ledger, role, root) == []
    (root / MARKER).unlink()
    assert [f"the {role} {root} has no marker" in said for said in words(ledger, role, root)] == [True]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("name", [None, "of a first start while the disk was away"])
def test_a_bare_mount_point_is_not_taken_for_what_was_mounted_there_also_with_a_marker_of_its_own(
    ledger: Ledger, root: Path, role: str, name: str | None
) -> None:
    ledger.roots.record(role, Root("disk", root, root))
    other = root.parent / "other"
    other.mkdir()
    if name:
        marked(root, name)
    before = sorted(root.iterdir())
    pair = (root, other) if role == "inbox" else (other, root)
    with pytest.raises(MountMissingError, match="nothing is mounted at"):
        check_mounts(ledger, *pair)
    with pytest.raises(MountMissingError, match="nothing is mounted at"):
        adopt(ledger, role, root)
    assert ledger.roots.get(role) == Root("disk", root, root)
    assert sorted(root.iterdir()) == before
    marked(root, "disk")
    check_mounts(ledger, *pair)


def test_another_folder_that_is_configured_is_not_compared(ledger: Ledger, root: Path) -> None:
    ledger.roots.record("output", Root("disk", root.parent / "away", root.parent / "away" / "out"))
    assert words(ledger, "output", root) == []


def test_another_folder_on_a_mount_that_is_away_is_waited_for_too(ledger: Ledger, root: Path) -> None:
    ledger.roots.record("output", Root("disk", root, root / "out"))
    (root / "new").mkdir()
    with pytest.raises(MountMissingError, match="nothing is mounted at"):
        adopt(ledger, "output", root / "new")


def test_the_marker_of_the_output_is_read_only_when_it_is_another_file(root: Path) -> None:
    mark(root, "output")
    output = OutputMarker(root, mark(root, "output"))
    assert output.obstacle() == ""
    known, times = (root / MARKER).read_bytes(), (root / MARKER).stat()
    (root / MARKER).write_bytes(known.replace(b'"id"', b'"ID"'))
    os.utime(root / MARKER, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert output.obstacle() == ""  # the same file by a look, so it was not read
    os.utime(root / MARKER)
    assert "is not a marker of phototriage" in output.obstacle()
    (root / MARKER).unlink()
    assert output.obstacle() == OUTPUT_AWAY
    marked(root, "another")
    assert output.obstacle() == output.obstacle() == OUTPUT_OTHER
    (root / MARKER).write_bytes(known)
    assert output.obstacle() == ""


# What follows is mounted for real: file systems of their own, and folders that are bound to another place.


def attach(disk: Path, at: Path) -> None:
    subprocess.run(["mount", "--bind", str(disk), str(at)], check=True)


def detach(at: Path) -> None:
    subprocess.run(["umount", "--lazy", str(at)], check=True)


@pytest.fixture(params=["disk", "bound folder"])
def disks(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """Two disks that keep what is on them while they are detached: file systems, or folders of this one."""
    store = tmp_path / "shelf"
    both = store / "a", store / "b"
    for disk in both:
        disk.mkdir(parents=True)
        if request.param == "disk":
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "phototriage-test", str(disk)], check=True)
    yield both
    for place in (tmp_path / "out", tmp_path / "in", *both):
        while place.exists() and subprocess.run(["umount", "--lazy", str(place)], capture_output=True).returncode == 0:
            pass


@pytest.fixture
def house(tmp_path: Path) -> tuple[str | Path, ...]:
    """Options of a daemon with its two folders."""
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
    return ("--inbox", tmp_path / "in", "--output", tmp_path / "out", "--model", model_file(tmp_path))


def drop(tmp_path: Path, name: str) -> None:
    write(tmp_path / "new", unique("red", len(name))).rename(tmp_path / "in" / name)


@pytest.mark.system("mount", "umount", root=True)
def test_a_mount_point_that_was_marked_once_never_passes_for_its_disk(
    tmp_path: Path, disks: tuple[Path, Path], house: tuple[str | Path, ...]
) -> None:
    """The first start is a mistake: the disk is not plugged in, and the bare folder gets a marker of its own."""
    out, disk = tmp_path / "out", disks[0]
    assert run("sort", *house).returncode == 0
    attach(disk, out)
    with daemon(*house) as running:
        running.ready()
        assert any("where nothing was mounted before: phototriage uses it" in line for line in running.errors)
        drop(tmp_path, "a.jpg")
        running.photos({"a.jpg"})
        detach(out)  # while it works
        drop(tmp_path, "bb.jpg")
        event = running.photos({"bb.jpg"})["bb.jpg"]
        assert (event["outcome"], event["reason"]) == ("again", OUTPUT_OTHER)
        attach(disk, out)
        running.until(lambda event: event.get("outcome") == "filed", "the photo once the disk is back")
        assert running.stop() == 0
    detach(out)
    drop(tmp_path, "ccc.jpg")
    refused = run("sort", *house)
    assert refused.returncode == 1
    assert "is another folder than the one that phototriage knows, and nothing is mounted at" in refused.stderr
    with daemon(*house) as running:
        wait_until(lambda: any("paused: The output" in line for line in running.errors), "the pause")
        attach(disk, out)
        running.photos({"ccc.jpg"})
        assert not any("taken" in line for line in running.errors)
        assert running.stop() == 0
    detach(out)
    assert tree(out) == {}
    assert sorted(tree(disk)) == ["red/a.jpg", "red/bb.jpg", "red/ccc.jpg"]


@pytest.mark.system("mount", "umount", root=True)
@pytest.mark.parametrize("made_by_a_first_start", [True, False])
def test_an_output_in_a_folder_of_a_disk_that_is_away_is_neither_made_nor_filed_into(
    tmp_path: Path, disks: tuple[Path, Path], made_by_a_first_start: bool
) -> None:
    inbox, point = tmp_path / "inbox", tmp_path / "out"
    inbox.mkdir()
    point.mkdir()
    words = ("sort", "--inbox", inbox, "--output", point / "sorted", "--model", model_file(tmp_path))
    if made_by_a_first_start:
        assert run(*words).returncode == 0
    attach(disks[0], point)
    assert run(*words).returncode == 0
    detach(point)
    before = sorted(point.rglob("*"))
    write(inbox / "a.jpg", plain("red"), mtime_s=1.0)
    assert f"nothing is mounted at {point}" in run(*words).stderr
    assert (sorted(point.rglob("*")), tree(inbox)) == (before, {"a.jpg": plain("red")})
    attach(disks[0], point)
    assert run(*words).returncode == 0
    assert tree(disks[0]) == {"sorted/red/a.jpg": plain("red")}


@pytest.mark.system("mount", "umount", root=True)
def test_a_disk_in_the_place_of_the_known_one_is_refused_until_its_marker_is_removed(
    tmp_path: Path, disks: tuple[Path, Path], house: tuple[str | Path, ...]
) -> None:
    out = tmp_path / "out"
    attach(disks[0], out)
    assert run("sort", *house).returncode == 0
    detach(out)
    attach(disks[1], out)
    marked(out, "another")
    drop(tmp_path, "a.jpg")
    refused = run("sort", *house)
    assert refused.returncode == 1
    assert f"another disk is mounted at {out}" in refused.stderr
    assert f"rm {out / MARKER}" in refused.stderr
    assert [*disks[1].iterdir(), *tree(tmp_path / "in")] == [disks[1] / MARKER, "a.jpg"]
    with daemon(*house) as running:
        wait_until(lambda: any("another disk is mounted at" in line for line in running.errors), "the pause")
        (out / MARKER).unlink()
        running.photos({"a.jpg"})
        assert running.stop() == 0
    assert sorted(tree(disks[1])) == ["red/a.jpg"]
    assert run("sort", *house).returncode == 0


@pytest.mark.system("mount", "umount", root=True)
def test_undo_takes_nothing_from_another_disk(tmp_path: Path, disks: tuple[Path, Path]) -> None:
    out = tmp_path / "out"
    out.mkdir()
    attach(disks[0], out)
    house = House(tmp_path / "house", out)
    house.file("a.jpg")
    detach(out)
    for disk in (None, disks[1]):
        if disk:
            attach(disk, out)
        marked(out, "another")
        result = ask("undo", "--last", "1")
        assert result.exit_code == 1
        assert "is another folder than the one that phototriage knows" in result.stderr
    detach(out)
    attach(disks[0], out)
    assert told("undo", "--last", "1")[0]["reason"] == ""


@pytest.mark.system("mount", "umount", root=True)
def test_undo_puts_nothing_into_what_is_mounted_over_the_inbox(tmp_path: Path, disks: tuple[Path, Path]) -> None:
    house = House(tmp_path / "house")
    filed = house.file("a.jpg")
    attach(disks[0], house.inbox)
    result = ask("undo", "--last", "1")
    assert result.exit_code == 1
    assert "mounted over the inbox" in result.stderr
    assert (filed.exists(), tree(disks[0])) == (True, {})
    detach(house.inbox)
    assert told("undo", "--last", "1")[0]["reason"] == ""


@pytest.mark.system("mount", "umount", root=True)
def test_undo_puts_nothing_into_the_folder_under_a_mount_inside_that_is_away(
    tmp_path: Path, disks: tuple[Path, Path]
) -> None:
    house = House(tmp_path / "house")
    card = house.inbox / "card"
    card.mkdir()
    attach(disks[0], card)
    filed = house.file("card/a.jpg", mount=card)
    detach(card)
    for words in (("--dry-run",), ()):
        (stays,) = told("undo", "--last", "1", *words, code=1)
        assert stays["reason"] == f"it came from {card}, where nothing is mounted now"
    assert (filed.exists(), list(card.iterdir())) == (True, [])
    attach(disks[0], card)
    assert told("undo", "--last", "1")[0]["reason"] == ""
    assert (card / "a.jpg").exists()
    detach(card)


@pytest.mark.system("mount", "umount", root=True)
def test_a_way_back_to_a_mount_inside_that_is_away_after_a_kill_is_finished_when_it_is_back(
    tmp_path: Path, disks: tuple[Path, Path]
) -> None:
    house, unseen = House(tmp_path / "house"), list[int]()
    card = house.inbox / "card"
    card.mkdir()
    attach(disks[0], card)
    filed = house.file("card/a.jpg", mount=card)
    home = card / "a.jpg"
    begun = intent(filed, home, becomes=Outcome.UNDONE, undoes=1, held=home)
    shutil.copy2(filed, home)
    filed.unlink()
    with opened_ledger(house.path) as ledger:
        (row,) = ledger.intend([begun], 2.0)
        detach(card)
        assert back.finish(ledger, 3.0, lambda row, *_: unseen.append(row)) == 0
        assert (unseen, list(ledger.open_intents(Mover.UNDO))) == ([row], [row])
        attach(disks[0], card)
        assert ledger.known(home, identity_of(home))  # so a daemon leaves it alone
        assert back.finish(ledger, 4.0) == 1
        assert ledger.open_intents(Mover.UNDO) == {}
    detach(card)


@pytest.mark.system("mount", "umount", root=True)
def test_an_inbox_that_goes_while_photos_are_taken_back_gets_no_more_of_them(
    tmp_path: Path, disks: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House(tmp_path / "house")
    filed = [house.file(name) for name in ("a.jpg", "b.jpg")]
    real = back._do

    def _then_it_is_covered(*arguments: Any) -> str:
        why = real(*arguments)
        attach(disks[0], house.inbox)
        return why

    monkeypatch.setattr(back, "_do", _then_it_is_covered)
    first, second = told("undo", "--last", "2", code=1)
    detach(house.inbox)
    assert first["reason"] == ""
    assert "mounted over the inbox" in second["reason"]
    assert [path.exists() for path in filed].count(True) == 1
    assert tree(disks[0]) == {}
    assert len(tree(house.inbox)) == 1


@pytest.mark.system("mount", "umount", root=True)
def test_what_is_mounted_over_an_inbox_at_work_is_not_sorted_before_a_restart(
    tmp_path: Path, disks: tuple[Path, Path], house: tuple[str | Path, ...]
) -> None:
    inbox = tmp_path / "in"
    write(disks[0] / "holiday.jpg", plain("red"), mtime_s=1.0)
    with daemon(*house) as running:
        running.ready()
        attach(disks[0], inbox)
        wait_until(lambda: any("Something was mounted over the inbox" in line for line in running.errors), "the pause")
        assert tree(disks[0]) == {"holiday.jpg": plain("red")}
        detach(inbox)
        drop(tmp_path, "a.jpg")
        running.photos({"a.jpg"})
        assert running.stop() == 0
    attach(disks[0], inbox)
    taken = run("sort", *house)
    assert taken.returncode == 0
    assert "where nothing was mounted before: phototriage uses it" in taken.stderr
    detach(inbox)
    bare = run("sort", *house)  # from now on the folder under the mount is no inbox
    assert bare.returncode == 1
    assert "nothing is mounted at" in bare.stderr


@pytest.mark.system("mount", "umount", root=True)
def test_cards_that_take_turns_as_the_inbox_are_taken_and_one_that_nobody_used_for_that_is_not(
    tmp_path: Path, disks: tuple[Path, Path], ledger: Ledger
) -> None:
    inbox, said = tmp_path / "in", list[str]()
    inbox.mkdir()
    attach(disks[0], inbox)
    lock = InboxLock(inbox, ledger.roots, said.append)
    lock.adopt()
    first = lock.root
    for disk in (disks[1], disks[0]):
        detach(inbox)
        with pytest.raises(MountMissingError, match="nothing is mounted at"):
            lock.check()
        attach(disk, inbox)
        lock.check()
    assert lock.root == first
    assert ["no marker" in said[0], "another folder" in said[1], len(said)] == [True, True, 2]
    detach(inbox)
    attach(disks[1], inbox)
    marked(inbox, "the output of somebody")
    with pytest.raises(RootError, match="another disk is mounted at"):
        lock.check()
    lock.close()


@pytest.mark.system("mount", "umount", root=True)
def test_the_mount_point_is_that_of_a_bound_folder_but_not_of_one_that_is_bound_to_its_own_place(
    tmp_path: Path, disks: tuple[Path, Path]
) -> None:
    here, out = mount_point(tmp_path), tmp_path / "out"
    (disks[0] / "inner").mkdir()
    out.mkdir()
    assert mount_point(out) == mount_point(out / "not" / "there") == here
    assert not is_mounted(out)
    attach(disks[0], out)
    assert mount_point(out / "inner") == out
    assert is_mounted(out)
    attach(out / "inner", out / "inner")  # as ReadWritePaths= does it
    try:
        assert mount_point(out / "inner") == out
        assert not is_mounted(out / "inner")
    finally:
        detach(out / "inner")
