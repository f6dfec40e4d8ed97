"""What was filed can be taken back, whole and without overwriting, and what was changed since is left alone."""

import fcntl
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.back import finish, take_back
from daemon.intent import Intent
from daemon.ledger import Ledger
from daemon.ledgers import reading
from daemon.photo import Mode, Outcome
from daemon.records import Which
from daemon.scan import MARKER
from daemon.undo import LOCK, finish_at_start, plans
from daemon.why import write_why
from tests.daemon.house import House, ask, told
from tests.daemon.support import (
    daemon,
    digest,
    identity_of,
    model_file,
    opened_ledger,
    plain,
    tree,
    unique,
    write,
)

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
    assert [row["now"] for row in told("explain", back)] == [
        "it was taken back, as a later row says", "it lies there unchanged",
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
        assert [was.source.name for was in ledger.of_name(house.inbox, "a", 0.0).values()] == ["a.jpg"]


def test_companions_of_a_photo_that_stays_stay_too(house: House) -> None:
    photo = house.file("a.jpg")
    sidecar = companion(house, photo, "a.xmp")
    rewritten(photo)
    assert len(told("undo", "--last", "1", code=1)) == 1
    assert sidecar.exists()


def failed(house: House, name: str = "a.jpg", mode: Mode = Mode.MOVE) -> Path:
    photo = house.file(name, label="", outcome=Outcome.FAILED, reason="truncated: it ends early", mode=mode)
    write_why(photo, name, "truncated: it ends early")
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


def test_an_inbox_that_is_away_gets_nothing(house: House) -> None:
    house.file("a.jpg")
    house.inbox.rename(house.inbox.with_name("away"))
    result = ask("undo", "--last", "1")
    assert result.exit_code == 1
    assert "is not there, so nothing can go back to it" in result.stderr
    assert (house.output / "sea" / "a.jpg").exists()


def test_which_photos_must_be_said() -> None:
    result = ask("undo")
    assert result.exit_code == 2
    assert "Say which photos: --since, --label, --batch or --last." in result.stderr


def test_one_process_at_a_time_takes_back_and_a_daemon_leaves_it_to_that(house: House) -> None:
    filed = house.file("a.jpg")
    with (house.path.parent / LOCK).open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = ask("undo", "--last", "1")
        assert result.exit_code == 1
        assert "Another process takes photos back to this inbox right now" in result.stderr
        with opened_ledger(house.path) as ledger:
            begin(house, ledger)
            finish_at_start(ledger, house.path.parent, 2.0)
            assert len(ledger.open_undoes()) == 1
    with opened_ledger(house.path) as ledger:
        finish_at_start(ledger, house.path.parent, 2.0)
        assert ledger.open_undoes() == {}
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
        finish_at_start(ledger, house.path.parent, 3.0, lambda _, intent, error: unseen.append(str(intent.destination)))
        assert [intent.destination for intent in ledger.open_undoes().values()] == [loop / "b.jpg"]
        assert unseen == [str(loop / "b.jpg")]
    result = ask("undo", "--last", "1")
    assert "the next `undo` goes on with it" in result.stderr
    assert sorted(tree(house.inbox)) == ["a.jpg", "b.jpg"]


def begin(house: House, ledger: Ledger, becomes: Outcome = Outcome.UNDONE) -> Intent:
    """Commit the intent to take the last photo back, as a process does that is killed then."""
    with reading(house.path) as connection:
        ((step,),) = plans(connection, Which(at_large=True), 1, becomes)
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
        assert ledger.open_undoes() == {}
    assert (bool(tree(house.inbox)), bool(tree(house.output))) == ("in" in there, "out" in there)
    assert [row["state"] for row in told("history")] == ([state] if state else []) + ["filed"]


def removed(intent: Intent) -> None:
    intent.source.unlink()


@pytest.mark.parametrize("mode", COPYING)
@pytest.mark.parametrize(("crash", "state"), [(nothing, None), (removed, "undone")])
def test_what_a_kill_interrupted_of_a_copy_is_finished_or_forgotten(
    house: House, mode: Mode, crash: Callable[[Intent], None], state: str | None
) -> None:
    filed = house.file("a.jpg", mode=mode)
    with opened_ledger(house.path) as ledger:
        crash(begin(house, ledger))
        finish(ledger, 3.0)
        assert ledger.open_undoes() == {}
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
    with opened_ledger(house.path) as ledger, reading(house.path) as connection:
        groups = plans(connection, Which(at_large=True), -1, Outcome.UNDONE)
        write(house.output / "sea" / "a.jpg", b"changed")
        write(house.inbox / "b.jpg", b"mine")
        taken = take_back(ledger, groups, 2.0, house.inbox)
        reasons = {group[0].record.intent.source.name: group[0].reason for group in taken}
        assert reasons == {"a.jpg": "it changed meanwhile", "b.jpg": "its name in the inbox was taken meanwhile"}
        assert ledger.open_undoes() == {}
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
