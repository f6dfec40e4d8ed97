"""What was filed can be taken back, whole and without overwriting, and what was changed since is left alone."""

import fcntl
import os
import pwd
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.filing.failure_note import write_failure_note
from daemon.filing.move import temporary_beside
from daemon.filing.recovery import ignore
from daemon.intake.walk import MARKER
from daemon.ledger import reader
from daemon.ledger.intent import Intent
from daemon.ledger.ledger import Ledger
from daemon.ledger.movers import LOCKS, Mover
from daemon.ledger.queries import RecordFilter
from daemon.ledger.recorded_roots import Root
from daemon.photo import Mode, Outcome
from daemon.startup_recovery import settle_others
from daemon.undo import execute
from daemon.undo.execute import TOGETHER, carry_out, finish
from daemon.undo.obstacles import ORIGINAL_GONE
from daemon.undo.undo import plans, undo
from tests.daemon.house import House, ask, told
from tests.daemon.support import (
    command,
    daemon,
    digest,
    environment,
    identity_of,
    model_file,
    opened_ledger,
    plain,
    tree,
    unique,
    write,
)

ALICE = 4000
COPYING = (Mode.COPY, Mode.HARDLINK, Mode.SYMLINK)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "house")


def known(house: House, path: Path) -> bool:
    with opened_ledger(house.path) as ledger:
        return ledger.known(path, identity_of(path))


def test_a_photo_goes_back_whole_to_where_it_lay_and_is_left_alone_there(house: House) -> None:
    filed = house.file("a.jpg")
    data, identity = filed.read_bytes(), identity_of(filed)
    result = ask("undo", "--last", "1")
    assert result.exit_code == 0, result.stderr
    assert result.stderr == "1 photo went back to the inbox.\n"
    back = house.inbox / "a.jpg"
    assert (tree(house.inbox), tree(house.output)) == ({"a.jpg": data}, {})
    assert identity_of(back) == identity
    assert known(house, back)
    undone, was = told("history")
    assert (undone["state"], undone["path"], undone["destination"]) == ("undone", str(filed), str(back))
    assert (was["state"], was["taken_back"], was["batch"] + 1) == ("filed", True, undone["batch"])
    assert [row["now"].partition("; ")[0] for row in told("explain", back)] == [
        "it was moved back to the inbox", "it is there, unchanged",
    ]  # fmt: skip
    assert told("undo", "--last", "9") == []


def test_what_is_taken_back_can_be_narrowed(house: House) -> None:
    for number, label in enumerate(("sea", "sea", "street", "sea")):
        house.file(f"{number}.jpg", 86_400.0 * (10 + number), label)
    for words, which in {
        "--last 2": "32",
        "--label sea": "310",
        "--label sea --last 1": "3",
        "--batch 2": "1",
        "--since 1970-01-13": "32",
        "--since 1970-01-12T12 --label street": "2",
        "--label glacier": "",
        "--since 1h": "",
    }.items():
        rows = told("undo", "--dry-run", *words.split())
        assert "".join(Path(row["path"]).stem for row in rows) == which, words
    assert told("undo", "--batch", "2")[0]["destination"] == str(house.inbox / "1.jpg")


def test_a_dry_run_touches_nothing(house: House) -> None:
    house.file("a.jpg")
    house.file("b.jpg", outcome=Outcome.FAILED, label="")
    before = [(path, path.lstat()) for path in sorted(house.inbox.parent.rglob("*"))]
    state = {path: path.read_bytes() for path in house.path.parent.iterdir()}
    for words in (("undo", "--last", "2"), ("retry",), ("retry", "--undone")):
        result = ask(*words, "--dry-run")
        assert result.exit_code == 0, result.stderr
        assert "would" in result.stderr
    assert [(path, path.lstat()) for path in sorted(house.inbox.parent.rglob("*"))] == before
    assert {path: path.read_bytes() for path in house.path.parent.iterdir()} == state


def test_a_taken_name_in_the_inbox_gets_a_number(house: House) -> None:
    first, second = house.file("a.jpg", label="sea"), house.file("a.jpg", label="street")
    datas = {first.read_bytes(), second.read_bytes()}
    write(house.inbox / "a.jpg", b"mine")
    write(second, second.read_bytes())
    ask("undo", "--last", "2")
    there = tree(house.inbox)
    assert there.pop("a.jpg") == b"mine"
    assert set(there) == {"a-1.jpg", "a-2.jpg"}
    assert set(there.values()) == datas


@pytest.mark.parametrize("together", [2, 100])
def test_names_are_numbered_as_the_dry_run_said_however_many_go_back_at_once(
    house: House, monkeypatch: pytest.MonkeyPatch, together: int
) -> None:
    monkeypatch.setattr(execute, "TOGETHER", together)
    monkeypatch.setattr(reader, "PAGE", 3)
    for label in ("sea", "street", "forest", "sea-1", "sea-2"):
        house.file("a.jpg", label=label)
        house.file(f"{label}.jpg", label=label)
    write(house.inbox / "a-2.jpg", b"mine")
    planned = told("undo", "--last", "9", "--dry-run")
    assert told("undo", "--last", "9") == planned
    assert {Path(str(row["destination"])).name for row in planned} == {
        *("a.jpg", "a-1.jpg", "a-3.jpg", "a-4.jpg"), *("sea.jpg", "street.jpg", "forest.jpg", "sea-1.jpg", "sea-2.jpg"),
    }  # fmt: skip


def test_no_other_process_takes_back_between_two_batches(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execute, "TOGETHER", 1)
    for name in ("a.jpg", "b.jpg"):
        house.file(name)
    work = undo(None, RecordFilter(at_large=True), -1, Outcome.UNDONE, 2.0, settle_others)
    next(work)
    assert set(tree(house.inbox)) == {"b.jpg"}
    assert "Another process takes photos back" in ask("undo", "--last", "1").stderr
    assert len(list(work)) == 1
    assert set(tree(house.inbox)) == {"a.jpg", "b.jpg"}


def test_a_pager_that_ends_early_does_not_stop_the_work(house: House) -> None:
    names = {f"{number}.jpg" for number in range(TOGETHER + 1)}
    for name in names:
        house.file(name)
    reads, writes = os.pipe()
    os.close(reads)
    words = command("undo", "--label", "sea", "--json")
    with os.fdopen(writes, "wb") as nobody_reads:
        subprocess.run(words, env=environment(), stdout=nobody_reads, stderr=subprocess.DEVNULL, timeout=60)
    assert set(tree(house.inbox)) == names


def gone(photo: Path) -> None:
    photo.unlink()


def rewritten(photo: Path) -> None:
    """Other bytes in the same file, of the same length, and with its old time."""
    times = photo.stat()
    write(photo, photo.read_bytes()[::-1])
    os.utime(photo, ns=(times.st_atime_ns, times.st_mtime_ns))


def replaced(photo: Path) -> None:
    size = photo.stat().st_size
    photo.unlink()
    write(photo, b"x" * size)


def linked(photo: Path) -> None:
    photo.rename(photo.with_name("elsewhere"))
    photo.symlink_to(photo.with_name("elsewhere"))


@pytest.mark.parametrize("happened", [gone, rewritten, replaced, linked])
def test_what_was_changed_since_stays_and_the_others_go(house: House, happened: Callable[[Path], None]) -> None:
    changed, other = house.file("a.jpg"), house.file("b.jpg")
    happened(changed)
    before = tree(house.output)
    del before["sea/b.jpg"]
    data = other.read_bytes()
    rows = told("undo", "--label", "sea", code=1)
    assert {Path(row["path"]).name: bool(row["reason"]) for row in rows} == {"a.jpg": True, "b.jpg": False}
    assert (tree(house.output), tree(house.inbox)) == (before, {"b.jpg": data})
    assert ask("undo", "--label", "sea").stderr == "0 photos went back to the inbox; 1 photo could not.\n"


def test_the_same_bytes_under_another_time_are_the_same_photo(house: House) -> None:
    filed = house.file("a.jpg")
    os.utime(filed, (9.0, 9.0))
    assert told("undo", "--last", "1")[0]["reason"] == ""
    assert known(house, house.inbox / "a.jpg")


@pytest.mark.parametrize("mode", COPYING)
def test_of_a_photo_that_was_copied_or_linked_only_ours_is_removed(house: House, mode: Mode) -> None:
    filed = house.file("a.jpg", mode=mode)
    original = house.inbox / "a.jpg"
    data = original.read_bytes()
    assert told("undo", "--last", "1")[0]["destination"] == str(original)
    assert not os.path.lexists(filed)
    assert original.read_bytes() == data
    assert known(house, original)
    assert len(told("retry", "--undone")) == 1
    assert not known(house, original)


def without_original(house: House) -> None:
    (house.inbox / "a.jpg").unlink()


def with_another_original(house: House) -> None:
    without_original(house)
    write(house.inbox / "a.jpg", b"new")


def with_another_copy(house: House) -> None:
    (house.output / "sea" / "a.jpg").unlink()
    write(house.output / "sea" / "a.jpg", b"mine")


@pytest.mark.parametrize(
    ("mode", "happened"),
    [
        (Mode.COPY, without_original), (Mode.COPY, with_another_original), (Mode.COPY, with_another_copy),
        (Mode.HARDLINK, without_original), (Mode.HARDLINK, with_another_original),
        (Mode.HARDLINK, with_another_copy), (Mode.SYMLINK, with_another_copy),
    ],
)  # fmt: skip
def test_a_copy_or_link_stays_when_it_is_the_last_one_or_not_ours(
    house: House, mode: Mode, happened: Callable[[House], None]
) -> None:
    filed = house.file("a.jpg", mode=mode)
    happened(house)
    data = filed.read_bytes()
    assert told("undo", "--last", "1", code=1)[0]["reason"]
    assert filed.read_bytes() == data


def in_place(path: Path, data: bytes) -> None:
    """Write other bytes of the same length into the same file, which keeps its time."""
    times = path.stat()
    write(path, data)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def original_edited_in_place(house: House) -> None:
    in_place(house.inbox / "a.jpg", (house.inbox / "a.jpg").read_bytes()[::-1])


def copy_edited_in_place(house: House) -> None:
    in_place(house.output / "sea" / "a.jpg", (house.output / "sea" / "a.jpg").read_bytes()[::-1])


def with_a_link_for_an_original(house: House) -> None:
    """As git-annex leaves one: the content lies elsewhere, and whoever holds it may remove it."""
    (house.inbox / "a.jpg").rename(house.inbox.parent / "elsewhere.jpg")
    (house.inbox / "a.jpg").symlink_to(house.inbox.parent / "elsewhere.jpg")


def with_a_pipe_for_an_original(house: House) -> None:
    without_original(house)
    os.mkfifo(house.inbox / "a.jpg")


def with_inbox_and_class_the_same_folder(house: House) -> None:
    """What would be removed as the copy is the original itself, seen by another path."""
    (house.output / "sea" / "a.jpg").unlink()
    (house.output / "sea").rmdir()
    (house.output / "sea").symlink_to(house.inbox)


AFTER_THE_PLAN = (
    *(
        (mode, happened)
        for mode in (Mode.COPY, Mode.HARDLINK)
        for happened in (without_original, with_another_original)
    ),
    *((mode, with_a_link_for_an_original) for mode in (Mode.COPY, Mode.HARDLINK)),
    *((mode, with_a_pipe_for_an_original) for mode in (Mode.COPY, Mode.HARDLINK)),
    *((mode, with_inbox_and_class_the_same_folder) for mode in (Mode.COPY, Mode.HARDLINK)),
    *((mode, with_another_copy) for mode in COPYING),
    (Mode.COPY, original_edited_in_place),
    (Mode.COPY, copy_edited_in_place),
)


@pytest.mark.parametrize(("mode", "happened"), AFTER_THE_PLAN)
def test_a_copy_whose_original_goes_or_changes_after_the_plan_was_made_stays(
    house: House, mode: Mode, happened: Callable[[House], None]
) -> None:
    filed = house.file("a.jpg", mode=mode)
    with opened_ledger(house.path) as ledger:
        groups = list(plans(house.path, RecordFilter(at_large=True), -1, Outcome.UNDONE))
        happened(house)
        data = filed.read_bytes()
        ((step,),) = (group for some in carry_out(ledger, groups, 2.0) for group in [some])
        assert step.reason
        assert ledger.open_intents(Mover.UNDO) == {}
    assert filed.read_bytes() == data
    assert [row["state"] for row in told("history")] == ["filed"]


@pytest.mark.parametrize("mode", [Mode.COPY, Mode.HARDLINK])
def test_an_original_is_asked_for_again_before_each_removal_and_not_once_for_all(house: House, mode: Mode) -> None:
    photos = [house.file(f"{number}.jpg", mode=mode) for number in range(TOGETHER + 2)]
    with opened_ledger(house.path) as ledger:
        groups = list(plans(house.path, RecordFilter(at_large=True), -1, Outcome.UNDONE))
        taking = carry_out(ledger, groups, 2.0)
        for _ in range(TOGETHER):
            next(taking)
        for number in (0, 1):  # the youngest go first: these are still to come
            (house.inbox / f"{number}.jpg").unlink()
        rest = [group[0].reason for group in taking]
    assert rest == [ORIGINAL_GONE, ORIGINAL_GONE]
    assert [path.exists() for path in photos] == [True, True, *[False] * TOGETHER]


def test_of_a_link_without_its_original_it_is_said_that_no_photo_came_back(house: House) -> None:
    filed = house.file("a.jpg", mode=Mode.SYMLINK)
    (house.inbox / "a.jpg").unlink()
    assert told("undo", "--last", "1", "--dry-run", code=1)[0]["note"]
    assert os.path.lexists(filed)
    row = told("undo", "--last", "1", code=1)[0]
    assert (row["reason"], row["note"]) == ("", "the link is removed, but its original is no longer in the inbox")
    assert not os.path.lexists(filed)


def copied_companion(house: House, name: str, data: bytes = b"sidecar") -> Path:
    """Put a companion into the inbox, and its copy beside the photo that was filed last."""
    with opened_ledger(house.path) as ledger:
        (row,) = ledger._connection.execute("SELECT max(id) FROM photos WHERE part_of IS NULL").fetchone()
        original, place = write(house.inbox / name, data), write(house.output / "sea" / name, data)
        fields = {"sha256": digest(data), "label": "sea", "part_of": row, "mode": Mode.COPY, "held": original}
        part = Intent(Outcome.FILED, original, place, identity_of(original), **fields)
        ledger.conclude(dict.fromkeys(ledger.intend([part], 1.0), Outcome.FILED), 1.0)
    return place


@pytest.mark.parametrize("before_the_plan", [True, False])
def test_a_copied_companion_without_its_original_stays_with_its_reason_and_its_photo_goes(
    house: House, before_the_plan: bool
) -> None:
    photo = house.file("a.jpg", mode=Mode.COPY)
    sidecar = copied_companion(house, "a.xmp")
    if before_the_plan:
        (house.inbox / "a.xmp").unlink()
        rows = told("undo", "--last", "1", code=1)
        assert [bool(row["reason"]) for row in rows] == [False, True]
    else:
        with opened_ledger(house.path) as ledger:
            groups = list(plans(house.path, RecordFilter(at_large=True), -1, Outcome.UNDONE))
            (house.inbox / "a.xmp").unlink()
            list(carry_out(ledger, groups, 2.0))
        assert [step.reason for step in groups[0]] == ["", ORIGINAL_GONE]
    assert not photo.exists()
    assert sidecar.read_bytes() == b"sidecar"


def test_a_photo_of_another_inbox_that_shared_the_ledger_stays_with_that_as_the_reason(
    house: House, tmp_path: Path
) -> None:
    filed = house.file("a.jpg", source=tmp_path / "former" / "a.jpg")
    assert "which is not in the inbox" in told("undo", "--last", "1", code=1)[0]["reason"]
    assert filed.exists()


def companion(house: House, photo: Path, name: str, data: bytes = b"sidecar") -> Path:
    """Put a companion beside the photo that was filed last."""
    place = write(photo.parent / name, data)
    with opened_ledger(house.path) as ledger:
        (row,) = ledger._connection.execute("SELECT max(id) FROM photos WHERE part_of IS NULL").fetchone()
        fields = {"sha256": digest(data), "label": "sea", "part_of": row}
        part = Intent(Outcome.FILED, house.inbox / name, place, identity_of(place), **fields)
        ledger.conclude(dict.fromkeys(ledger.intend([part], 1.0), Outcome.FILED), 1.0)
    return place


def test_companions_go_with_their_photo_as_they_are_now_and_keep_its_name(house: House) -> None:
    photo = house.file("a.jpg")
    write(companion(house, photo, "a.xmp"), b"edited since")
    companion(house, photo, "a.jpg.json")
    companion(house, photo, "a.mov").unlink()
    write(house.inbox / "a.jpg.json", b"mine")
    rows = told("undo", "--last", "1")
    assert [(Path(row["destination"]).name, row["companion"]) for row in rows] == [
        ("a-1.jpg", False), ("a-1.xmp", True), ("a-1.jpg.json", True),
    ]  # fmt: skip
    assert tree(house.inbox)["a-1.xmp"] == b"edited since"
    assert tree(house.inbox)["a.jpg.json"] == b"mine"
    assert tree(house.output) == {}
    for name in ("a-1.jpg", "a-1.xmp", "a-1.jpg.json"):
        assert known(house, house.inbox / name), name
    assert [row["state"] for row in told("history")] == ["undone", "filed"]
    told("retry", "--undone")
    for name in ("a-1.jpg", "a-1.xmp", "a-1.jpg.json"):
        assert not known(house, house.inbox / name), name


def test_a_companion_that_comes_late_finds_no_photo_that_was_taken_back(house: House) -> None:
    for name in ("a.jpg", "a.png"):
        house.file(name)
    told("undo", "--last", "1")
    with opened_ledger(house.path) as ledger:
        assert [was.source.name for was in ledger.of_names(house.inbox, [("a.", "a/")], 0.0).values()] == ["a.jpg"]


def test_companions_of_a_photo_that_stays_stay_too(house: House) -> None:
    photo = house.file("a.jpg")
    sidecar = companion(house, photo, "a.xmp")
    rewritten(photo)
    assert len(told("undo", "--last", "1", code=1)) == 1
    assert sidecar.exists()


def failed(house: House, name: str = "a.jpg", mode: Mode = Mode.MOVE) -> Path:
    photo = house.file(name, label="", outcome=Outcome.FAILED, reason="truncated: it ends early", mode=mode)
    write_failure_note(photo, name, "truncated: it ends early")
    return photo


def test_failed_photos_are_tried_again_without_their_note(house: House) -> None:
    data = failed(house).read_bytes()
    filed = house.file("b.jpg")
    write(house.output / "_failed" / "notes.why.txt", b"mine")
    result = ask("retry")
    assert (result.exit_code, result.stderr) == (0, "1 photo went back to the inbox.\n")
    assert tree(house.inbox) == {"a.jpg": data}
    assert filed.exists()
    assert tree(house.output / "_failed") == {"notes.why.txt": b"mine"}
    assert not known(house, house.inbox / "a.jpg")
    assert [row["state"] for row in told("history")] == ["retried", "filed", "failed"]


def test_a_failed_copy_goes_and_its_original_is_tried_again(house: House) -> None:
    failed(house, mode=Mode.COPY)
    assert known(house, house.inbox / "a.jpg")
    assert len(told("retry")) == 1
    assert tree(house.output) == {}
    assert not known(house, house.inbox / "a.jpg")


def test_a_note_that_its_reader_changed_stays(house: House) -> None:
    note = failed(house).with_name("a.jpg.why.txt")
    write(note, b"looked at it, sent it back")
    told("retry")
    assert note.read_bytes() == b"looked at it, sent it back"


def test_undone_photos_are_released_to_be_judged_again(house: House) -> None:
    for number in range(3):
        house.file(f"{number}.jpg")
    told("undo", "--last", "3")
    assert [row["path"] for row in told("retry", "--undone", "--last", "1")] == [str(house.inbox / "0.jpg")]
    assert [known(house, house.inbox / f"{number}.jpg") for number in range(3)] == [False, True, True]
    assert len(told("retry", "--undone")) == 2
    assert told("retry", "--undone") == []


def test_photos_go_back_to_another_file_system(tmp_path: Path, elsewhere: Path) -> None:
    output = elsewhere / "out"
    output.mkdir()
    write(output / MARKER, b'{"id": "1"}')
    house = House(tmp_path / "house", output)
    data = house.file("a.jpg").read_bytes()
    assert told("undo", "--last", "1")[0]["reason"] == ""
    assert (tree(house.inbox), tree(house.output)) == ({"a.jpg": data}, {})
    assert known(house, house.inbox / "a.jpg")


def test_a_folder_of_the_inbox_that_was_cleared_away_is_made_anew(house: House) -> None:
    filed = house.file("a.jpg", source=house.inbox / "2026" / "11" / "a.jpg")
    data = filed.read_bytes()
    told("undo", "--last", "1")
    assert tree(house.inbox) == {"2026/11/a.jpg": data}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give folders away")
def test_what_root_makes_on_the_way_back_belongs_to_the_owner_of_the_folder_above(house: House) -> None:
    """A service's user could neither take the photo out of root's folder nor open root's lock at its next start."""
    house.file("a.jpg", source=house.inbox / "2026" / "11" / "a.jpg")
    os.chown(house.inbox, 12345, 12346)
    house.inbox.chmod(0o2770)
    os.chown(house.path.parent, 12347, 12348)
    before = os.umask(0o077)
    try:
        told("undo", "--last", "1")
    finally:
        os.umask(before)
    for folder in (house.inbox / "2026", house.inbox / "2026" / "11"):
        found = folder.stat()
        assert (found.st_uid, found.st_gid, oct(found.st_mode)) == (12345, 12346, "0o42770")
    lock = (house.path.parent / LOCKS[Mover.UNDO]).stat()
    assert (lock.st_uid, lock.st_gid) == (12347, 12348)


@pytest.fixture
def of_alice(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Yield the home of a user who calls sudo, where ledgers are made until she does."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:  # pytest's own folders are closed to other users
        monkeypatch.setenv("XDG_STATE_HOME", f"{folder}/.local/state")
        yield Path(folder)


def called_by_sudo(home: Path, monkeypatch: pytest.MonkeyPatch, root_state: Path) -> None:
    for path in (home, *home.rglob("*")):
        os.chown(path, ALICE, ALICE, follow_symlinks=False)
        if path.is_dir():
            path.chmod(0o755)
    alice = pwd.struct_passwd(("alice", "x", ALICE, ALICE, "", str(home), "/bin/sh"))
    monkeypatch.setattr("pwd.getpwuid", {ALICE: alice}.__getitem__)
    monkeypatch.setenv("SUDO_UID", str(ALICE))
    monkeypatch.setenv("XDG_STATE_HOME", str(root_state))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be called by sudo")
def test_root_by_sudo_works_on_the_ledgers_of_the_caller_and_as_the_caller(
    of_alice: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House(of_alice / "house")
    house.file("a.jpg", source=house.inbox / "2026" / "a.jpg")
    house.file("b.jpg")
    called_by_sudo(of_alice, monkeypatch, tmp_path / "of root")
    assert [row["state"] for row in told("history", "--inbox", house.inbox)] == ["filed", "filed"]
    assert str(house.inbox) in ask("status").output
    assert [bool(row["reason"]) for row in told("undo", "--last", "2")] == [False, False]
    told("retry", "--undone")
    assert os.geteuid() == 0
    assert {path.stat().st_uid for path in of_alice.rglob("*")} == {ALICE}
    assert ask("forget", "--inbox", house.inbox, "--yes").exit_code == 0
    said = ask("history").stderr
    for folder in (tmp_path / "of root" / "phototriage", of_alice / ".local" / "state" / "phototriage"):
        assert str(folder) in said.partition("It was looked for in ")[2]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be called by sudo")
def test_a_ledger_of_the_caller_moves_nothing_that_only_root_may_move(
    of_alice: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House(of_alice / "house")
    secret = tmp_path / "shadow"
    house.file("a.jpg", destination=write(secret, b"secret"), identity=identity_of(secret), sha256=digest(b"secret"))
    called_by_sudo(of_alice, monkeypatch, tmp_path / "of root")
    tmp_path.chmod(0o700)
    (row,) = told("undo", "--last", "1", code=1)
    assert row["reason"]
    assert secret.read_bytes() == b"secret"
    assert os.geteuid() == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give folders away")
def test_root_gives_no_file_away_that_a_link_in_the_place_of_the_lock_leads_to(house: House, tmp_path: Path) -> None:
    house.file("a.jpg")
    os.chown(house.path.parent, 12347, 12348)
    (house.path.parent / LOCKS[Mover.UNDO]).symlink_to(write(tmp_path / "shadow", b"secret"))
    assert "undo-lock cannot be opened" in ask("undo", "--last", "1").stderr
    assert (tmp_path / "shadow").stat().st_uid == 0


def test_an_inbox_that_is_away_gets_nothing(house: House) -> None:
    house.file("a.jpg")
    house.inbox.rename(house.inbox.with_name("away"))
    result = ask("undo", "--last", "1")
    assert result.exit_code == 1
    assert "does not exist, so nothing is moved" in result.stderr
    assert (house.output / "sea" / "a.jpg").exists()


def test_which_photos_must_be_said() -> None:
    result = ask("undo")
    assert result.exit_code == 2
    assert "Choose photos with --since, --label, --said, --batch or --last." in result.stderr


def test_one_process_at_a_time_takes_back_and_a_daemon_leaves_it_to_that(house: House) -> None:
    filed = house.file("a.jpg")
    with (house.path.parent / LOCKS[Mover.UNDO]).open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = ask("undo", "--last", "1")
        assert result.exit_code == 1
        assert "Another process takes photos back to this inbox now" in result.stderr
        with opened_ledger(house.path) as ledger:
            begin(house, ledger)
            settle_others(ledger, house.path.parent, Mover.DAEMON, 2.0, ignore)
            assert len(ledger.open_intents(Mover.UNDO)) == 1
    with opened_ledger(house.path) as ledger:
        settle_others(ledger, house.path.parent, Mover.DAEMON, 2.0, ignore)
        assert ledger.open_intents(Mover.UNDO) == {}
    assert filed.exists()


def test_a_way_back_that_cannot_be_finished_now_ends_no_start_and_holds_up_no_other(house: House) -> None:
    unseen: list[str] = []
    for name in ("a.jpg", "b.jpg"):
        house.file(name)
    with opened_ledger(house.path) as ledger:
        first = begin(house, ledger)
        renamed(first)
        loop = house.inbox / "loop"
        loop.symlink_to("loop")
        ledger.intend([replace(first, destination=loop / "b.jpg")], 2.0)
        settle_others(
            ledger, house.path.parent, Mover.DAEMON, 3.0,
            lambda _, intent, error: unseen.append(str(intent.destination)),
        )  # fmt: skip
        assert [intent.destination for intent in ledger.open_intents(Mover.UNDO).values()] == [loop / "b.jpg"]
        assert unseen == [str(loop / "b.jpg")]
    result = ask("undo", "--last", "1")
    assert "the next `undo`, or start of the daemon, continues it" in result.stderr
    assert sorted(tree(house.inbox)) == ["a.jpg", "b.jpg"]


def begin(house: House, ledger: Ledger, becomes: Outcome = Outcome.UNDONE) -> Intent:
    """Commit the intent to take the last photo back, as a process does that is killed then."""
    ((step,),) = plans(house.path, RecordFilter(at_large=True), 1, becomes)
    assert step.intent is not None
    ledger.intend([step.intent], 2.0)
    return step.intent


def nothing(_: Intent) -> None:
    pass


def renamed(intent: Intent) -> None:
    intent.source.rename(intent.destination)


def published(intent: Intent) -> None:
    """A copy to another file system, whose original was not yet removed."""
    write(intent.destination, intent.source.read_bytes())
    os.utime(intent.destination, ns=(intent.identity.mtime_ns, intent.identity.mtime_ns))
    temporary_beside(intent.destination, intent.source, intent.identity).hardlink_to(intent.destination)


def taken_on(intent: Intent) -> None:
    intent.source.unlink()


def replaced_by_another(intent: Intent) -> None:
    renamed(intent)
    write(intent.source, b"new")


@pytest.mark.parametrize(
    ("crash", "state", "there"),
    [
        (nothing, None, "out"), (renamed, "undone", "in"), (published, "undone", "in"), (taken_on, "gone", ""),
        (replaced_by_another, "undone", "in out"),
    ],
)  # fmt: skip
def test_what_a_kill_interrupted_is_finished_or_forgotten(
    house: House, crash: Callable[[Intent], None], state: str | None, there: str
) -> None:
    house.file("a.jpg")
    with opened_ledger(house.path) as ledger:
        crash(begin(house, ledger))
        finish(ledger, 3.0)
        assert ledger.open_intents(Mover.UNDO) == {}
    assert (bool(tree(house.inbox)), bool(tree(house.output))) == ("in" in there, "out" in there)
    assert [row["state"] for row in told("history")] == ([state] if state else []) + ["filed"]


def removed(intent: Intent) -> None:
    intent.source.unlink()


def removed_by_its_owner_with_the_original(intent: Intent) -> None:
    intent.source.unlink()
    intent.destination.unlink()


@pytest.mark.parametrize("mode", [Mode.COPY, Mode.HARDLINK])
def test_after_a_kill_nothing_is_said_to_be_back_whose_original_is_not_there(house: House, mode: Mode) -> None:
    house.file("a.jpg", mode=mode)
    with opened_ledger(house.path) as ledger:
        removed_by_its_owner_with_the_original(begin(house, ledger))
        assert finish(ledger, 3.0) == 0
        assert ledger.open_intents(Mover.UNDO) == {}
    assert [row["state"] for row in told("history")] == ["filed"]


def test_what_a_kill_interrupted_stays_open_while_the_output_is_away(house: House, tmp_path: Path) -> None:
    """Else what lies on it would look as if it had been taken back, or away."""
    house.file("a.jpg", mode=Mode.COPY)
    house.file("b.jpg")
    with opened_ledger(house.path) as ledger:
        begin(house, ledger)
        ledger.roots.record("output", Root("1", tmp_path / "disk", house.output))
        house.output.rename(tmp_path / "away")
        (tmp_path / "disk").mkdir()
        result = ask("undo", "--last", "2")
        assert result.exit_code == 1
        assert "nothing is mounted at" in result.stderr
        assert len(ledger.open_intents(Mover.UNDO)) == 1


@pytest.mark.parametrize("mode", COPYING)
@pytest.mark.parametrize(("crash", "state"), [(nothing, None), (removed, "undone")])
def test_what_a_kill_interrupted_of_a_copy_is_finished_or_forgotten(
    house: House, mode: Mode, crash: Callable[[Intent], None], state: str | None
) -> None:
    filed = house.file("a.jpg", mode=mode)
    with opened_ledger(house.path) as ledger:
        crash(begin(house, ledger))
        finish(ledger, 3.0)
        assert ledger.open_intents(Mover.UNDO) == {}
    assert (house.inbox / "a.jpg").exists()
    assert os.path.lexists(filed) == (state is None)
    assert [row["state"] for row in told("history")] == ([state] if state else []) + ["filed"]


def test_a_failed_photo_whose_way_back_was_cut_off_gets_its_note_again(house: House) -> None:
    note = failed(house).with_name("a.jpg.why.txt")
    with opened_ledger(house.path) as ledger:
        begin(house, ledger, Outcome.RETRIED)
        note.unlink()
        finish(ledger, 3.0)
    assert b"truncated: it ends early" in note.read_bytes()


def test_what_changes_between_the_look_and_the_move_stays(house: House) -> None:
    for name in ("a.jpg", "b.jpg"):
        house.file(name)
    with opened_ledger(house.path) as ledger:
        groups = list(plans(house.path, RecordFilter(at_large=True), -1, Outcome.UNDONE))
        write(house.output / "sea" / "a.jpg", b"changed")
        write(house.inbox / "b.jpg", b"mine")
        taken = carry_out(ledger, groups, 2.0)
        reasons = {group[0].record.intent.source.name: group[0].reason for group in taken}
        assert reasons == {"a.jpg": "it changed meanwhile", "b.jpg": "its name there was taken meanwhile"}
        assert ledger.open_intents(Mover.UNDO) == {}
    assert tree(house.inbox) == {"b.jpg": b"mine"}
    assert sorted(tree(house.output)) == ["sea/a.jpg", "sea/b.jpg"]


def test_a_daemon_at_work_leaves_alone_what_is_taken_back_until_it_is_renamed(tmp_path: Path) -> None:
    inbox, output = tmp_path / "in", tmp_path / "out"
    inbox.mkdir()
    with daemon("--inbox", inbox, "--output", output, "--model", model_file(tmp_path)) as process:
        process.ready()
        write(inbox / "a.jpg", plain("red"))
        process.photos({"a.jpg"})
        assert told("undo", "--last", "1")[0]["destination"] == str(inbox / "a.jpg")
        for number in range(2):  # photos that come later are filed, and it is not
            write(inbox / f"{number}.jpg", unique("green", number))
            process.photos({f"{number}.jpg"})
        assert tree(inbox) == {"a.jpg": plain("red")}
        (inbox / "a.jpg").rename(inbox / "b.jpg")
        process.photos({"b.jpg"})
        assert tree(inbox) == {}
        assert process.stop() == 0
    assert [row["state"] for row in told("history")] == ["filed", "filed", "filed", "undone", "filed"]


def moved(house: House, photo: Path, place: str, said: str = "", *, is_seen: bool = True) -> Path:
    """Move a filed photo as its owner does, and let a look see it."""
    now = house.output / place
    now.parent.mkdir(parents=True, exist_ok=True)
    photo.rename(now)
    if is_seen:
        house.seen(photo, now, said)
    return now


@pytest.mark.parametrize(
    ("mode", "place"),
    [
        (Mode.MOVE, "street/a.jpg"),
        (Mode.MOVE, "sea/renamed.jpg"),
        *((mode, "street/trip/mine.jpg") for mode in Mode),
    ],
)
def test_a_photo_that_its_owner_moved_goes_back_from_where_it_is(house: House, mode: Mode, place: str) -> None:
    photo = house.file("a.jpg", mode=mode)
    data = photo.read_bytes()
    now = moved(house, photo, place, "street")
    (row,) = told("undo", "--last", "1")
    assert (row["path"], row["destination"], row["reason"]) == (str(now), str(house.inbox / "a.jpg"), "")
    assert (tree(house.inbox), tree(house.output)) == ({"a.jpg": data}, {})
    assert not os.path.lexists(now)
    with opened_ledger(house.path) as ledger:
        assert ledger._connection.execute("SELECT count(*) FROM places").fetchone() == (0,)
        assert ledger._connection.execute("SELECT said FROM labels").fetchall() == [("street",)]


def test_a_photo_that_its_owner_moved_and_edited_or_moved_on_since_the_last_look_stays(house: House) -> None:
    edited, on = (moved(house, house.file(name), f"street/{name}") for name in ("a.jpg", "b.jpg"))
    write(edited, b"other bytes")
    moved(house, on, "forest/b.jpg", is_seen=False)
    reasons = [row["reason"] for row in told("undo", "--last", "2", code=1)]
    assert reasons == [
        "it is no longer where it was filed, or was seen last", "it was changed since, or replaced by another file",
    ]  # fmt: skip
    assert set(tree(house.output)) == {"street/a.jpg", "forest/b.jpg"}


def test_the_class_that_undo_is_given_is_the_folder_where_photos_lie_now(house: House) -> None:
    moved(house, house.file("a.jpg", label="sea"), "street/a.jpg", "street")
    house.file("b.jpg", label="sea")
    house.file("c.jpg", label="street", outcome=Outcome.REVIEW)
    moved(house, house.file("d.jpg", label="sea", outcome=Outcome.REVIEW), "sea/d.jpg", "sea")
    house.file("e.jpg", label="", outcome=Outcome.FAILED)
    for words, which in {
        "--label sea": "db",
        "--label street": "a",
        "--label _review": "c",
        "--label _failed": "e",
        "--said street": "a",
        "--said forest": "",
        "--label sea --said sea": "d",
    }.items():
        rows = told("undo", "--dry-run", *words.split())
        assert "".join(Path(row["destination"]).stem for row in rows) == which, words


@pytest.mark.parametrize(
    ("mode", "place", "brought", "goes"),
    [
        (Mode.MOVE, "street/a.jpg", {"a.xmp": "street/a.xmp"}, ["a.jpg", "a.xmp"]),
        (Mode.MOVE, "street/b.jpg", {"a.xmp": "street/b.xmp"}, ["a.jpg", "a.xmp"]),
        (Mode.COPY, "sea/b.jpg", {"a.jpg.json": "sea/b.jpg.json"}, ["a.jpg", "a.jpg.json"]),
        (Mode.HARDLINK, "street/a.jpg", {"a.xmp": "sea/a.xmp"}, ["a.jpg", "a.xmp"]),
        (Mode.MOVE, "street/a.jpg", {"a.xmp": "street/deeper/a.xmp"}, ["a.jpg"]),
    ],
)
def test_a_companion_that_was_moved_along_goes_back_too(
    house: House, mode: Mode, place: str, brought: dict[str, str], goes: list[str]
) -> None:
    photo = house.file("a.jpg", mode=mode)
    for name, now in brought.items():
        part = companion(house, photo, name) if mode is Mode.MOVE else copied_companion(house, name)
        target = house.output / now
        target.parent.mkdir(parents=True, exist_ok=True)
        part.rename(target)
    moved(house, photo, place)
    assert [Path(row["destination"]).name for row in told("undo", "--last", "1")] == goes
    assert set(goes) <= set(tree(house.inbox))
    assert [name for name in tree(house.output) if "deeper" not in name] == []


@pytest.mark.parametrize("neighbour", ["a.png", "a.mov"])
def test_a_rewritten_sidecar_beside_a_moved_photo_is_its_own_unless_another_photo_there_asks_for_it(
    house: House, neighbour: str
) -> None:
    photo = house.file("a.jpg")
    companion(house, photo, "a.xmp").unlink()
    now = moved(house, photo, "street/a.jpg")
    write(now.with_name(neighbour), b"a neighbour")
    write(now.with_name("a.xmp"), b"written anew")
    told("undo", "--last", "1")
    left = {"street/a.xmp", "street/a.png"} if neighbour == "a.png" else {"street/a.mov"}
    assert set(tree(house.output)) == left


def test_of_a_companion_that_lies_where_it_was_filed_a_copy_beside_the_moved_photo_stays(house: House) -> None:
    photo = house.file("a.jpg")
    companion(house, photo, "a.xmp")
    write(moved(house, photo, "street/a.jpg").with_name("a.xmp"), b"a copy")
    told("undo", "--last", "1")
    assert (tree(house.inbox)["a.xmp"], tree(house.output)) == (b"sidecar", {"street/a.xmp": b"a copy"})


def test_a_link_beside_a_moved_photo_is_no_companion(house: House, tmp_path: Path) -> None:
    photo = house.file("a.jpg")
    companion(house, photo, "a.xmp").unlink()
    now = moved(house, photo, "street/a.jpg")
    now.with_name("a.xmp").symlink_to(write(tmp_path / "secret", b"secret"))
    assert len(told("undo", "--last", "1")) == 1
    assert set(tree(house.inbox)) == {"a.jpg"}


def test_the_note_of_a_failed_photo_that_was_moved_goes_wherever_it_lies(house: House) -> None:
    for name, along in (("a.jpg", True), ("b.jpg", False)):
        photo = house.file(name, outcome=Outcome.FAILED, label="", reason="truncated", top=None)
        note = write_failure_note(photo, name, "truncated")
        now = moved(house, photo, f"mine/{name}")
        if along:
            note.rename(now.with_name(note.name))
    told("undo", "--last", "2")
    assert set(tree(house.inbox)) == {"a.jpg", "b.jpg"}
    assert tree(house.output) == {}


def test_a_photo_that_lies_where_it_was_filed_although_a_look_saw_it_elsewhere_goes_back(house: House) -> None:
    photo = house.file("a.jpg")
    moved(house, photo, "street/a.jpg").rename(photo)
    (row,) = told("undo", "--last", "1")
    assert (row["path"], row["reason"]) == (str(photo), "")
    assert set(tree(house.inbox)) == {"a.jpg"}


@pytest.mark.parametrize("state", ["failed", "review"])
def test_retry_leaves_alone_what_its_owner_moved_to_a_class(house: House, state: str) -> None:
    outcome = Outcome(state)
    photos = [house.file(name, outcome=outcome, label="") for name in ("a.jpg", "b.jpg", "c.jpg")]
    moved(house, photos[0], "sea/a.jpg", "sea")
    moved(house, photos[1], f"_{state}/deeper/b.jpg")
    told("retry", "--state", state)
    assert set(tree(house.inbox)) == {"b.jpg", "c.jpg"}
    assert set(tree(house.output)) == {"sea/a.jpg"}
