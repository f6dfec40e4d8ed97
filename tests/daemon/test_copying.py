"""A copy on another file system is as private as its original, keeps what can be kept, and takes no more space."""

import errno
import os
import struct
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from daemon.copying import copy_file as copying
from daemon.copying import metadata
from daemon.copying.copy_file import SourceChangedError, copy_file
from daemon.copying.extents import same_content
from daemon.filing.filer import Filer
from daemon.filing.move import move, publish_copy
from daemon.ledger.ledger import Ledger
from daemon.photo import Outcome
from daemon.status.obstacles import Obstacles
from tests.daemon.house import House, ask
from tests.daemon.mounted import bound, mounted, on_disk
from tests.daemon.share import TOOLS, share
from tests.daemon.support import (
    HandClock,
    companion,
    digest,
    identity_of,
    model_file,
    opened_ledger,
    plain,
    roots,
    run,
    saying,
    scored,
    tree,
    unique,
    write,
)

PHOTO = plain("red")
ALICE, FAMILY, BOB = 61_001, 61_002, 61_003
ACCESS_LIST, DEFAULT_LIST = "system.posix_acl_access", "system.posix_acl_default"
OWNER, USER, GROUP, MASK, OTHER = 1, 2, 4, 0x10, 0x20
NOBODY = 0xFFFFFFFF


def access_list(*entries: tuple[int, int, int]) -> bytes:
    """Return an access list as the kernel keeps it, of (kind, rights, who)."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


BOB_READS = access_list((OWNER, 6, NOBODY), (USER, 4, BOB), (GROUP, 4, NOBODY), (MASK, 6, NOBODY), (OTHER, 0, NOBODY))


def all_of(path: Path) -> dict[str, Any]:
    """Return all that belongs to a file beside its place."""
    status = path.stat()
    facts = {name: getattr(status, f"st_{name}") for name in ("uid", "gid", "mode", "mtime_ns")}
    attributes = {name: os.getxattr(path, name) for name in os.listxattr(path)}
    return facts | attributes | {"content": path.read_bytes()}


def owned(path: Path, user: int, group: int, mode: int) -> Path:
    os.chown(path, user, group)
    path.chmod(mode)
    return path


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return write(tmp_path / "in" / "a.jpg", PHOTO)


def copied(source: Path, target: Path) -> dict[str, str]:
    """Copy a photo; returns what was lost by kind."""
    losses = publish_copy(source, identity_of(source), digest(source.read_bytes()), target).lost
    return {loss.kind: loss.what for loss in losses}


@pytest.mark.system(root=True)
def test_owner_mode_access_list_attributes_and_time_go_to_another_file_system_and_come_back(
    source: Path, elsewhere: Path
) -> None:
    owned(source, ALICE, FAMILY, 0o640)
    os.setxattr(source, "user.rating", b"5")
    os.setxattr(source, ACCESS_LIST, BOB_READS)
    os.utime(source, ns=(1, -1_500_000_000_987_654_321))  # a scan of 1922
    before = all_of(source)
    target = elsewhere / "a.jpg"
    assert move(source, identity_of(source), digest(PHOTO), target).lost == ()
    assert all_of(target) == before
    assert move(target, identity_of(target), digest(PHOTO), source).lost == ()
    assert all_of(source) == before


@pytest.mark.system(root=True)
def test_only_its_owner_may_read_a_copy_until_all_of_it_is_there(
    source: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the umask is, and whomever the folder lets read what is made in it."""
    owned(source, ALICE, FAMILY, 0o640)
    everybody = access_list(
        (OWNER, 7, NOBODY), (USER, 7, BOB), (GROUP, 7, NOBODY), (MASK, 7, NOBODY), (OTHER, 7, NOBODY)
    )
    os.setxattr(elsewhere, DEFAULT_LIST, everybody)
    seen: list[tuple[str, int, int]] = []
    real_owner, real_access = metadata._carry_owner, metadata._carry_access

    def look(name: str, copy: int) -> None:
        status = os.fstat(copy)
        seen.append((name, status.st_uid, status.st_mode & 0o777))

    def carry_owner(copy: int, was: os.stat_result) -> Iterator[Any]:
        look("data", copy)
        yield from real_owner(copy, was)

    def carry_access(source: int, copy: int, was: os.stat_result) -> Iterator[Any]:
        look("owner", copy)
        yield from real_access(source, copy, was)

    monkeypatch.setattr(metadata, "_carry_owner", carry_owner)
    monkeypatch.setattr(metadata, "_carry_access", carry_access)
    umask = os.umask(0)
    try:
        assert copied(source, elsewhere / "a.jpg") == {}
    finally:
        os.umask(umask)
    assert seen == [("data", 0, 0o600), ("owner", ALICE, 0o600)]
    assert all_of(elsewhere / "a.jpg") == all_of(source)  # without what the folder gives by default


def test_what_makes_a_program_of_a_file_is_left_out(source: Path, elsewhere: Path) -> None:
    source.chmod(0o6755)
    assert copied(source, elsewhere / "a.jpg") == {}
    assert (elsewhere / "a.jpg").stat().st_mode & 0o7777 == 0o755


REFUSALS = {
    "--chmod-deny": {"mode"},
    "--chmod-ignore": {"mode"},
    "--chown-deny": {"owner"},
    "--chown-ignore": {"owner"},
    "--chgrp-deny": {"owner"},
    "--xattr-none": {"attributes", "access list"},
    "--xattr-ro": {"attributes", "access list"},
}


@pytest.mark.system("bindfs", "umount", root=True)
@pytest.mark.parametrize("option", REFUSALS)
def test_what_a_mount_refuses_is_said_once_and_all_photos_are_filed_and_none_can_be_read_by_more(
    tmp_path: Path, option: str
) -> None:
    inbox, behind = roots(tmp_path)
    paths = [write(inbox / f"{number}.jpg", unique("red", number)) for number in range(6)]
    for path, mode in zip(paths, (0o600, 0o640, 0o664, 0o444, 0o640, 0o644), strict=True):
        owned(path, ALICE, FAMILY, mode)
    os.setxattr(paths[4], ACCESS_LIST, BOB_READS)
    os.setxattr(paths[5], "user.rating", b"5")
    rights = {path.name: others_may(path) for path in paths}
    said: list[str] = []
    with bound(behind, tmp_path / "seen", option) as output, opened_ledger(tmp_path / "l") as ledger:
        filer = filer_of(output, ledger, said)
        photos = [scored(path) for path in paths]
        filer.file(photos)
        filer.file(again := [scored(write(inbox / "more.jpg", unique("red", 7)))])
    assert {photo.filing.outcome for photo in (*photos, *again)} == {Outcome.FILED}
    assert filer.pause.reason == ""
    assert len(said) == len(REFUSALS[option]), said
    assert tree(inbox) == {}
    for name, (group, all_others) in rights.items():
        filed = behind / "red" / name
        its_group, its_others = others_may(filed)
        most = group if filed.stat().st_gid == FAMILY else group & all_others
        assert its_group & ~most == 0 == its_others & ~all_others, f"{name}: {filed.stat().st_mode:o}"


def others_may(path: Path) -> tuple[int, int]:
    """Return what the owning group and all others may do; beside an access list, a mode tells another thing."""
    mode = path.stat().st_mode
    try:
        entries = {tag: may for tag, may, _ in struct.iter_unpack("<HHI", os.getxattr(path, ACCESS_LIST)[4:])}
    except OSError:
        return mode >> 3 & 0o7, mode & 0o7
    return entries[GROUP] & entries[MASK], entries[OTHER]


def filer_of(output: Path, ledger: Ledger, said: list[str], clock: HandClock | None = None) -> Filer:
    return Filer(output, ledger, clock or HandClock(), saying(said))  # type: ignore[arg-type]


@pytest.mark.system("bindfs", "umount", root=True)
def test_what_an_inbox_cannot_take_back_is_said_once_by_undo(tmp_path: Path, elsewhere: Path) -> None:
    (tmp_path / "behind").mkdir()
    (elsewhere / "out").mkdir()
    with bound(tmp_path / "behind", tmp_path / "seen", "--chown-deny", "--chgrp-deny") as seen:
        house = House(seen / "house", elsewhere / "out")
        for name in ("a.jpg", "b.jpg"):
            owned(house.file(name), ALICE, FAMILY, 0o600)
        done = ask("undo", "--last", "5")
        assert done.exit_code == 0, done.output
        assert done.stderr.count("is back, but it belongs to user 0, group 0, and not to user 61001, group 61002.") == 1
        assert sorted(path.name for path in house.inbox.glob("*.jpg")) == ["a.jpg", "b.jpg"]


@pytest.mark.system("mkfs.ext4", "chattr", "mount", "umount", root=True)
def test_a_photo_that_nobody_may_remove_stays_and_gets_no_copy(tmp_path: Path, elsewhere: Path) -> None:
    with on_disk(tmp_path / "disk", "ext4", 8) as disk:
        source = write(disk / "a.jpg", PHOTO)
        subprocess.run(["chattr", "+i", str(source)], check=True)
        with pytest.raises(PermissionError):
            move(source, identity_of(source), digest(PHOTO), elsewhere / "a.jpg")
        assert source.read_bytes() == PHOTO
        assert tree(elsewhere) == {}
        subprocess.run(["chattr", "-i", str(source)], check=True)


@pytest.mark.system("bindfs", "umount", root=True)
def test_what_decides_on_owner_and_mode_itself_like_a_stick_takes_photos_and_the_risk_is_said(
    source: Path, tmp_path: Path
) -> None:
    owned(source, ALICE, FAMILY, 0o600)
    os.setxattr(source, "user.rating", b"5")
    (tmp_path / "behind").mkdir()
    options = ("--force-user=root", "--force-group=root", "--perms=0755", "--chown-ignore", "--chgrp-ignore")
    with bound(tmp_path / "behind", tmp_path / "stick", *options, "--chmod-deny", "--xattr-none") as stick:
        lost = copied(source, stick / "a.jpg")
        assert (stick / "a.jpg").read_bytes() == PHOTO
    assert set(lost) == {"owner", "mode", "attributes"}
    assert lost["mode"] == "its mode is 0755 and not 0600, so users who could not read it before may read it now"


@pytest.mark.system("mkfs.ext4", "mount", "umount", root=True)
def test_attributes_that_are_too_large_for_the_target_are_lost_and_no_full_output(tmp_path: Path) -> None:
    with mounted(tmp_path / "in", "-t", "tmpfs", "memory") as inbox, on_disk(tmp_path / "disk", "ext4", 8) as disk:
        source = write(inbox / "a.jpg", PHOTO)
        try:
            os.setxattr(source, "user.large", bytes(8 << 10))
        except OSError:
            pytest.skip("this kernel's tmpfs has no attributes")
        os.setxattr(source, "user.small", b"5")
        lost = copied(source, disk / "a.jpg")
        assert lost == {"attributes": "it has lost user.large (extended attributes)"}
        assert os.getxattr(disk / "a.jpg", "user.small") == b"5"


def test_an_attribute_that_finds_the_disk_full_waits_for_room_like_the_rest(
    source: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    try:
        os.setxattr(source, "user.rating", b"5")
    except OSError:
        pytest.skip("no attributes here")
    monkeypatch.setattr(os, "setxattr", full)
    monkeypatch.setattr(metadata, "_is_full", lambda _: True)
    with pytest.raises(OSError, match="No space left"):
        copied(source, elsewhere / "a.jpg")
    assert tree(elsewhere) == {}


def test_a_disk_that_fails_is_no_loss(source: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    source.chmod(0o640)
    monkeypatch.setattr(os, "fchmod", broken)
    with pytest.raises(OSError, match="Input/output"):
        copied(source, elsewhere / "a.jpg")
    assert tree(elsewhere) == {}


@contextmanager
def acting_as(user: int, *groups: int) -> Iterator[None]:
    """Be somebody else, as a daemon is that runs as an ordinary user."""
    before = os.getgroups()
    os.setgroups(list(groups))
    os.setegid(user)
    os.seteuid(user)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(before)


@pytest.mark.system(root=True)
@pytest.mark.parametrize(
    ("groups", "mode", "acl", "kept"),
    [
        ((FAMILY,), 0o640, None, (FAMILY, 0o640)),
        ((FAMILY,), 0o664, None, (FAMILY, 0o664)),
        ((), 0o664, None, (BOB, 0o644)),
        ((), 0o604, None, (BOB, 0o604)),
        ((), 0o640, BOB_READS, (BOB, 0o660)),
    ],
    ids=["member", "member may write", "no member", "the group was kept out", "by the access list"],
)
def test_an_ordinary_user_keeps_the_group_where_it_is_a_member_and_gives_no_other_group_more_than_everybody_has(
    elsewhere: Path, groups: tuple[int, ...], mode: int, acl: bytes | None, kept: tuple[int, int]
) -> None:
    elsewhere.chmod(0o777)
    source = owned(write(elsewhere / "a.jpg", PHOTO), ALICE, FAMILY, mode)
    if acl is not None:
        os.setxattr(source, ACCESS_LIST, acl)
    with acting_as(BOB, *groups):
        lost = copied(source, target := elsewhere / "b.jpg")
    status = target.stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (BOB, *kept)
    assert set(lost) == {"owner"}
    assert lost["owner"].endswith("because only root can give files away")
    if acl is not None:
        narrow = access_list(
            (OWNER, 6, NOBODY), (USER, 4, BOB), (GROUP, 0, NOBODY), (MASK, 6, NOBODY), (OTHER, 0, NOBODY)
        )
        assert os.getxattr(target, ACCESS_LIST) == narrow


HOLES = 64 << 20


def with_holes(path: Path, size: int = HOLES) -> Path:
    with path.open("wb") as file:
        file.write(PHOTO)
        file.seek(size // 2)
        file.write(b"in the middle")
        file.truncate(size)
    return path


def test_holes_stay_holes(source: Path, elsewhere: Path) -> None:
    with_holes(source)
    assert copied(source, elsewhere / "a.jpg") == {}
    status = (elsewhere / "a.jpg").stat()
    assert (status.st_size, status.st_blocks * 512 < 1 << 20) == (HOLES, True)
    assert same_content(source, elsewhere / "a.jpg")


def test_a_film_of_fifty_gigabytes_without_content_travels_with_its_photo_and_takes_nothing(
    source: Path, elsewhere: Path
) -> None:
    film = with_holes(source.with_name("a.mov"), 50 << 30)
    identity, target = identity_of(film), elsewhere / "a.mov"
    move(film, identity, "", target)
    status = target.stat()
    assert (status.st_size, status.st_blocks * 512 < 1 << 20) == (50 << 30, True)
    assert not film.exists()


@pytest.mark.parametrize("at", [0, len(PHOTO) + (1 << 20), HOLES - 1], ids=["data", "hole", "end"])
def test_files_that_differ_in_one_byte_are_told_apart_though_both_have_holes(tmp_path: Path, at: int) -> None:
    one, other = with_holes(tmp_path / "one"), with_holes(tmp_path / "other")
    assert same_content(one, other)
    with other.open("r+b") as file:
        file.seek(at)
        file.write(b"x")
    assert not same_content(one, other)
    assert not same_content(other, one)
    os.truncate(other, HOLES + 1)
    assert not same_content(one, other)


def grown(source: Path) -> None:
    with source.open("ab") as file:
        file.write(bytes(1 << 20))


def cut(source: Path) -> None:
    os.truncate(source, 10)


@pytest.mark.parametrize("change", [grown, cut])
def test_a_file_that_grows_or_shrinks_while_it_is_copied_is_not_filed(
    source: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None]
) -> None:
    real, sizes = copying._copy_data, list[int]()

    def meddled(reader: int, writer: int, size: int) -> None:
        change(source)
        try:
            real(reader, writer, size)
        finally:
            sizes.append(os.fstat(writer).st_size)

    monkeypatch.setattr(copying, "_copy_data", meddled)
    with pytest.raises(SourceChangedError):
        publish_copy(source, identity_of(source), "", elsewhere / "a.jpg")
    assert sizes[0] <= len(PHOTO)
    assert tree(elsewhere) == {}


@pytest.mark.system("mount", "umount", root=True)
@pytest.mark.parametrize(("size_mib", "all_wait"), [(48, False), (24, True)])
def test_what_does_not_fit_is_not_begun_and_holds_up_no_smaller_photo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size_mib: int, all_wait: bool
) -> None:
    inbox, behind = roots(tmp_path)
    large = scored(write(inbox / "large.jpg", PHOTO + os.urandom(size_mib << 20)))
    begun: list[int] = []
    real = copying._copy_data

    def copy_data(reader: int, writer: int, size: int) -> None:
        begun.append(size)
        real(reader, writer, size)

    monkeypatch.setattr(copying, "_copy_data", copy_data)
    with (
        mounted(tmp_path / "small", "-t", "tmpfs", "-o", f"size={size_mib}m", "memory") as output,
        opened_ledger(tmp_path / "l") as ledger,
    ):
        write(output / ".phototriage", (behind / ".phototriage").read_bytes())
        filer = filer_of(output, ledger, [])
        filer.file([large])
        assert (large.filing.outcome, bool(filer.pause.reason), begun) == (Outcome.AGAIN, all_wait, [])
        if not all_wait:
            place = output / "red" / "large.jpg"
            said = f"it cannot be moved to {place} (its {size_mib} MiB do not fit into the free space there)"
            assert large.filing.reason == said
        filer.file([small := scored(write(inbox / "small.jpg", PHOTO))])
        assert (small.filing.outcome, filer.pause.reason) == (Outcome.FILED, "")
    assert list(tree(inbox)) == ["large.jpg"]


@pytest.mark.system("mount", "umount", root=True)
def test_a_film_that_does_not_fit_is_said_once_waits_without_its_photo_and_follows_when_there_is_room(
    tmp_path: Path,
) -> None:
    inbox, behind = roots(tmp_path)
    film = write(inbox / "a.mov", os.urandom(48 << 20))
    part = companion(film)
    said: list[str] = []
    clock = HandClock()
    with (
        mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=48m", "memory") as output,
        opened_ledger(tmp_path / "l") as ledger,
    ):
        write(output / ".phototriage", (behind / ".phototriage").read_bytes())
        filer = filer_of(output, ledger, said, clock)
        filer.file([part])
        filer.file([photo := scored(write(inbox / "a.jpg", PHOTO))])
        assert (photo.filing.outcome, filer.pause.reason) == (Outcome.FILED, "")
        place = output / "red" / "a.mov"
        why = f"it cannot be moved to {place} (its 48 MiB do not fit into the free space there)"
        assert said == [f"a.mov stays in the inbox for now, without its photo: {why}"]
        subprocess.run(["mount", "-o", "remount,size=200m", str(output)], check=True)
        filer.file([])
        assert film.exists(), "it was tried again at once"
        clock.turn(60.0)
        filer.file([])
        assert (film.exists(), place.exists(), len(said)) == (False, True, 1)


@pytest.mark.system("mount", "umount", root=True)
def test_that_a_large_photo_finds_no_room_is_said_once_though_others_are_filed(tmp_path: Path) -> None:
    inbox, behind = roots(tmp_path)
    large = write(inbox / "large.jpg", PHOTO + os.urandom(48 << 20))
    obstacles, said = Obstacles(), list[bool]()
    with (
        mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=48m", "memory") as output,
        opened_ledger(tmp_path / "l") as ledger,
    ):
        write(output / ".phototriage", (behind / ".phototriage").read_bytes())
        filer = filer_of(output, ledger, [])
        for number in range(2):
            filer.file([photo := scored(large), small := scored(write(inbox / f"{number}.jpg", unique("red", number)))])
            assert (photo.filing.outcome, small.filing.outcome) == (Outcome.AGAIN, Outcome.FILED)
            said.append(obstacles.is_new(photo))
            assert obstacles.resolved(small) == []
    assert said == [True, False]


def test_a_share_that_does_not_know_what_is_free_is_tried(
    source: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(_: int) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(os, "fstatvfs", unknown)
    assert copied(source, elsewhere / "a.jpg") == {}
    assert (elsewhere / "a.jpg").read_bytes() == PHOTO


@pytest.mark.system(*TOOLS, "mount", "umount", root=True)
def test_where_it_cannot_be_seen_that_holes_are_kept_a_file_of_holes_needs_its_whole_size(
    source: Path, tmp_path: Path
) -> None:
    """As on sticks, which write zeros; sshfs says of each file that all of it takes space."""
    with_holes(source)
    with mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=48m", "memory") as small, share(small) as there:
        free = os.statvfs(small).f_bavail
        with pytest.raises(OSError, match="its 64 MiB do not fit"):
            copy_file(source, identity_of(source), there.mounted / "a.jpg")
        assert (there.server_side / "a.jpg").stat().st_size == 0
        assert os.statvfs(small).f_bavail == free


def test_a_file_that_is_too_large_stays_in_the_inbox_and_is_said_once(tmp_path: Path, elsewhere: Path) -> None:
    (tmp_path / "in").mkdir()
    trap = tmp_path / "in" / "trap.jpg"
    with trap.open("wb") as file:
        file.truncate(50 << 30)
    os.utime(trap, (1, 1))
    options = ("--inbox", tmp_path / "in", "--output", elsewhere / "out", "--give-up-after", "0")
    done = run("sort", *options, "--model", model_file(tmp_path))
    assert done.returncode == 0, done.stderr
    said = "trap.jpg stays in the inbox: 51200 MiB is more than 512 MiB, the limit; make it smaller, or file it by hand"
    assert done.stdout.splitlines() == [said]
    assert trap.exists()
    assert tree(elsewhere) == {}
