"""Looks at a real output on behalf of a real ledger: what people say by moving photos becomes events and places."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from daemon.adopt import adopt
from daemon.files.identity import Identity
from daemon.files.marker import mark
from daemon.filing.layout import Layout
from daemon.labels.class_folders import ClassFolders
from daemon.labels.contents import OutputContents
from daemon.labels.looker import Looker, last_look_s
from daemon.labels.store.place_new import place_new
from daemon.labels.store.tree_file import TREE
from daemon.ledger.intent import Intent
from daemon.ledger.ledger import Ledger
from daemon.ledger.state_folder import LEDGER
from daemon.photo import Mode, Outcome
from tests.daemon.filed_output import START_S, FiledOutput


def test_a_photo_in_another_class_folder_is_a_label_at_the_second_look(filed: FiledOutput) -> None:
    row = filed.file("sea/a.jpg")
    filed.look()
    filed.move("sea/a.jpg", "street/a.jpg")
    assert not filed.look().said
    (said,) = filed.look().said
    assert (said.place, said.shown, said.said) == ("street/a.jpg", "sea", "street")
    assert filed.said() == [("move", "street/a.jpg", "street")]
    assert filed.place(row) == ("street/a.jpg", "street", False)
    filed.move("street/a.jpg", "sea/a.jpg")
    filed.look()
    filed.look()
    assert filed.said()[1:] == [("move", "sea/a.jpg", "")]
    assert filed.place(row) == ("sea/a.jpg", "", False)


def test_two_looks_within_30_seconds_say_nothing(filed: FiledOutput) -> None:
    filed.file("sea/a.jpg")
    filed.look()
    filed.move("sea/a.jpg", "street/a.jpg")
    filed.look()
    assert not filed.look(later_s=29.0).said
    assert filed.look(later_s=1.0).said


def test_a_clock_that_is_set_back_by_a_day_delays_no_label_by_a_day(filed: FiledOutput) -> None:
    filed.file("sea/a.jpg")
    filed.look()
    filed.move("sea/a.jpg", "street/a.jpg")
    filed.look()
    assert not filed.look(later_s=-86_400.0).said
    assert not filed.look(later_s=29.0).said
    assert filed.look(later_s=1.0).said


def test_a_photo_that_was_filed_and_moved_between_two_looks_is_a_label(filed: FiledOutput) -> None:
    filed.file("sea/a.jpg")
    filed.look()
    filed.file("sea/b.jpg")
    filed.move("sea/b.jpg", "street/b.jpg")
    filed.look()
    assert [said.said for said in filed.look().said] == ["street"]


def test_what_was_moved_before_the_first_look_teaches_nothing_but_its_place_is_known(filed: FiledOutput) -> None:
    row = filed.file("sea/a.jpg")
    filed.move("sea/a.jpg", "street/a.jpg")
    for _ in range(3):
        assert not filed.look().said
    assert filed.place(row) == ("street/a.jpg", "", False)


def test_a_look_without_what_was_seen_before_is_the_base_line_again(filed: FiledOutput) -> None:
    row = filed.file("sea/a.jpg")
    filed.look()
    (filed.state / TREE).unlink()
    filed.looker = Looker(filed.ledger.path, OutputContents(filed.output))
    filed.move("sea/a.jpg", "street/a.jpg")
    for _ in range(3):
        assert not filed.look().said
    assert filed.place(row) == ("street/a.jpg", "", False)


def test_another_process_goes_on_from_what_the_last_look_saw(filed: FiledOutput) -> None:
    filed.file("sea/a.jpg")
    filed.look()
    filed.move("sea/a.jpg", "street/a.jpg")
    filed.looker = Looker(filed.ledger.path, OutputContents(filed.output))
    filed.look()
    first = filed.looker
    filed.looker = Looker(filed.ledger.path, OutputContents(filed.output))
    assert filed.look().said
    filed.looker = first
    assert not filed.look().said
    assert filed.said() == [("move", "street/a.jpg", "street")]


def test_a_photo_that_went_is_gone_and_may_come_back(filed: FiledOutput) -> None:
    row = filed.file("sea/a.jpg")
    filed.look()
    (filed.output / "sea/a.jpg").rename(filed.inbox / "kept-elsewhere.jpg")
    filed.look()
    assert filed.place(row) == ("sea/a.jpg", "", True)
    (filed.output / "street").mkdir()
    (filed.inbox / "kept-elsewhere.jpg").rename(filed.output / "street/b.jpg")
    filed.look()
    assert filed.look().said
    assert filed.place(row) == ("street/b.jpg", "street", False)


def test_a_photo_that_undo_took_back_has_no_place_and_says_nothing(filed: FiledOutput) -> None:
    row = filed.file("sea/a.jpg")
    filed.look()
    home = filed.inbox / "a.jpg"
    (was,) = filed.ledger._intents("id = ?", row).values()
    back = Intent(Outcome.UNDONE, was.destination, home, was.identity, was.sha256, undoes=row)
    (undo,) = filed.ledger.intend([back], filed.now_s)
    was.destination.rename(filed.output / "street")  # on its way: a look in between must not take it for gone
    filed.look()
    assert filed.place(row) == ("sea/a.jpg", "", False)
    filed.ledger.conclude({undo: Outcome.UNDONE}, filed.now_s)
    filed.look()
    with closing(filed.connection()) as connection:
        assert connection.execute("SELECT count(*) FROM places").fetchone() == (0,)
    assert filed.said() == []


def test_more_than_50_photos_of_a_class_at_once_are_one_question(filed: FiledOutput) -> None:
    for number in range(60):
        filed.file(f"sea/{number}.jpg")
    filed.look()
    for number in range(51):
        filed.move(f"sea/{number}.jpg", f"street/{number}.jpg")
    assert filed.look().questions == 1
    assert not filed.look().said
    with closing(filed.connection()) as connection:
        assert connection.execute("SELECT why, left, photos, answer FROM questions").fetchall() == [
            ("many", "sea", 51, "")
        ]
        assert connection.execute("SELECT count(*) FROM sightings WHERE question = 1").fetchone() == (51,)
    for number in range(51):
        filed.move(f"street/{number}.jpg", f"sea/{number}.jpg")
    filed.look()
    with closing(filed.connection()) as connection:
        assert connection.execute("SELECT answer FROM questions").fetchone() == ("ended",)
    assert filed.said() == []


def test_after_an_output_that_was_away_one_question_is_asked(filed: FiledOutput) -> None:
    filed.file("sea/a.jpg")
    filed.look()
    away = filed.output.with_name("away")
    filed.output.rename(away)
    assert filed.look().obstacle
    away.rename(filed.output)
    filed.move("sea/a.jpg", "street/a.jpg")
    assert filed.look().questions == 1
    filed.look()
    assert filed.said() == []


def test_after_a_restored_ledger_one_question_is_asked(filed: FiledOutput) -> None:
    filed.file("sea/a.jpg")
    filed.look()
    with closing(filed.connection()) as connection, closing(sqlite3.connect(filed.state / "backup")) as copy:
        connection.backup(copy)
    filed.file("sea/b.jpg")
    filed.look()
    filed.ledger.close()
    (filed.state / "backup").replace(filed.ledger.path)
    for log in ("-wal", "-shm"):
        filed.ledger.path.with_name(f"{LEDGER}{log}").unlink(missing_ok=True)
    filed.ledger = Ledger(filed.ledger.path)
    filed.move("sea/a.jpg", "street/a.jpg")
    assert filed.look().questions == 1
    filed.look()
    assert filed.said() == []


def test_an_output_with_another_marker_is_not_looked_at(filed: FiledOutput) -> None:
    filed.file("sea/a.jpg")
    filed.look()
    filed.output.rename(filed.output.with_name("away"))
    filed.output.mkdir()
    mark(filed.output, "output")
    assert "another folder" in filed.look().obstacle


def test_a_look_where_nothing_changed_writes_nothing(filed: FiledOutput) -> None:
    filed.file("sea/a.jpg")
    for _ in range(3):
        filed.look()
    log, tree = filed.ledger.path.with_name(f"{LEDGER}-wal"), filed.state / TREE
    before = log.stat().st_mtime_ns, tree.stat().st_mtime_ns
    filed.look()
    assert (log.stat().st_mtime_ns, tree.stat().st_mtime_ns) == before
    assert last_look_s(filed.state) is not None


def test_a_copy_in_its_place_is_not_taken_for_another_file(filed: FiledOutput) -> None:
    original, copy = filed.inbox / "a.jpg", filed.output / "sea/a.jpg"
    original.write_bytes(b"a")
    copy.parent.mkdir()
    shutil.copy2(original, copy)
    of_original = Identity.of(original.lstat())
    intent = Intent(Outcome.FILED, original, copy, of_original, "0" * 64, label="sea", mode=Mode.COPY)
    (row,) = filed.ledger.intend([intent], filed.now_s)
    filed.ledger.conclude({row: Outcome.FILED}, filed.now_s)
    with closing(filed.connection()) as connection:
        place_new(connection, filed.output, ClassFolders(Layout(), ("sea",)), 1)
        assert connection.execute("SELECT photo, inode FROM places").fetchall() == [(row, copy.lstat().st_ino)]


class _KilledError(BaseException):
    """Ends a look where a kill would."""


def _killed(*_: object, **__: object) -> None:
    raise _KilledError


def _look_killed_at(step: str, filed: FiledOutput) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"daemon.labels.looker.{step}", _killed)
        with pytest.raises(_KilledError):
            filed.look()
    filed.looker = Looker(filed.ledger.path, OutputContents(filed.output))


@pytest.mark.parametrize("step", ["place_new", "look", "forget_new", "tree_file.save"])
def test_after_a_kill_at_any_step_of_a_look_the_next_one_finds_the_same_once(filed: FiledOutput, step: str) -> None:
    row = filed.file("sea/a.jpg")
    filed.look()
    filed.move("sea/a.jpg", "street/a.jpg")
    new = filed.file("sea/b.jpg")
    for _ in range(2):
        _look_killed_at(step, filed)
        filed.move("sea/b.jpg", "street/b.jpg")  # which no kill may hide
        _look_killed_at(step, filed)
        filed.move("street/b.jpg", "sea/b.jpg")
    filed.look()
    filed.look()
    assert filed.said() == [("move", "street/a.jpg", "street")]
    assert (filed.place(row), filed.place(new)) == (("street/a.jpg", "street", False), ("sea/b.jpg", "", False))
    with closing(filed.connection()) as connection:
        assert connection.execute("SELECT count(*) FROM unplaced").fetchone() == (0,)
    filed.move("sea/b.jpg", "street/b.jpg")
    filed.look()
    filed.look()
    assert filed.said()[1:] == [("move", "street/b.jpg", "street")]


def test_a_photo_that_moved_on_is_found_though_no_tree_was_kept_since_its_place_was_noted(filed: FiledOutput) -> None:
    row, hidden = filed.file("sea/a.jpg"), filed.file("street/b.jpg")
    filed.look()
    filed.move("sea/a.jpg", "street/a.jpg")
    (filed.output / "street/b.jpg").rename(filed.output / "street/.b.jpg")
    for _ in range(2):
        _look_killed_at("tree_file.save", filed)
    assert filed.place(row) == ("street/a.jpg", "street", False)
    assert filed.place(hidden) == ("street/b.jpg", "", True)
    filed.move("street/a.jpg", "forest/a.jpg")
    (filed.output / "street/.b.jpg").rename(filed.output / "street/b.jpg")  # the folder is as it was
    filed.look()
    filed.look()
    assert filed.said() == [("move", "street/a.jpg", "street"), ("move", "forest/a.jpg", "forest")]
    assert filed.place(hidden) == ("street/b.jpg", "", False)


def test_one_look_at_a_time(filed: FiledOutput, tmp_path: Path) -> None:
    from daemon.labels.looker import LOCK, _locked

    with _locked(filed.state / LOCK):
        assert filed.looker.look(filed.now_s) is None


def test_two_ledgers_of_one_output_each_record_their_own_photos(filed: FiledOutput, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = FiledOutput.__new__(FiledOutput)
    other.inbox, other.output, other.state = tmp_path / "other/inbox", filed.output, tmp_path / "other/state"
    other.inbox.mkdir()
    other.ledger = Ledger(other.state / LEDGER)
    adopt(other.ledger, "output", other.output)
    other.now_s = START_S
    paths = [filed.ledger.path, other.ledger.path]
    for one, left in ((filed, paths[1:]), (other, paths[:1])):
        one.looker = Looker(one.ledger.path, OutputContents(one.output), left.copy)
    filed.file("sea/a.jpg", b"1")
    other.file("sea/b.jpg", b"2")
    for one in (filed, other, filed, other):
        one.look()
    filed.move("sea/a.jpg", "street/a.jpg")
    filed.move("sea/b.jpg", "street/b.jpg")
    for one in (filed, other, filed, other):
        one.look()
    assert filed.said() == [("move", "street/a.jpg", "street")]
    assert other.said() == [("move", "street/b.jpg", "street")]
    other.ledger.close()
