"""Looks at a real output on behalf of a real ledger: what people say by moving photos becomes events and places."""

import sqlite3
from contextlib import closing
from pathlib import Path

from daemon.adopt import adopt
from daemon.files.marker import mark
from daemon.labels.contents import OutputContents
from daemon.labels.looker import Looker, last_look_s
from daemon.labels.tree_file import TREE
from daemon.ledger.intent import Intent
from daemon.ledger.ledger import Ledger
from daemon.ledger.state_folder import LEDGER
from daemon.photo import Outcome
from tests.daemon.house import START_S, House


def test_a_photo_in_another_class_folder_is_a_label_at_the_second_look(house: House) -> None:
    row = house.filed("sea/a.jpg")
    house.look()
    house.move("sea/a.jpg", "street/a.jpg")
    assert not house.look().said
    (said,) = house.look().said
    assert (said.place, said.shown, said.said) == ("street/a.jpg", "sea", "street")
    assert house.said() == [("move", "street/a.jpg", "street")]
    assert house.place(row) == ("street/a.jpg", "street", False)
    house.move("street/a.jpg", "sea/a.jpg")
    house.look()
    house.look()
    assert house.said()[1:] == [("move", "sea/a.jpg", "")]
    assert house.place(row) == ("sea/a.jpg", "", False)


def test_two_looks_within_30_seconds_say_nothing(house: House) -> None:
    house.filed("sea/a.jpg")
    house.look()
    house.move("sea/a.jpg", "street/a.jpg")
    house.look()
    assert not house.look(later_s=29.0).said
    assert house.look(later_s=1.0).said


def test_a_photo_that_was_filed_and_moved_between_two_looks_is_a_label(house: House) -> None:
    house.filed("sea/a.jpg")
    house.look()
    house.filed("sea/b.jpg")
    house.move("sea/b.jpg", "street/b.jpg")
    house.look()
    assert [said.said for said in house.look().said] == ["street"]


def test_what_was_moved_before_the_first_look_teaches_nothing_but_its_place_is_known(house: House) -> None:
    row = house.filed("sea/a.jpg")
    house.move("sea/a.jpg", "street/a.jpg")
    for _ in range(3):
        assert not house.look().said
    assert house.place(row) == ("street/a.jpg", "", False)


def test_a_look_without_what_was_seen_before_is_the_base_line_again(house: House) -> None:
    row = house.filed("sea/a.jpg")
    house.look()
    (house.state / TREE).unlink()
    house.looker = Looker(house.ledger.path, OutputContents(house.output))
    house.move("sea/a.jpg", "street/a.jpg")
    for _ in range(3):
        assert not house.look().said
    assert house.place(row) == ("street/a.jpg", "", False)


def test_another_process_goes_on_from_what_the_last_look_saw(house: House) -> None:
    house.filed("sea/a.jpg")
    house.look()
    house.move("sea/a.jpg", "street/a.jpg")
    house.looker = Looker(house.ledger.path, OutputContents(house.output))
    house.look()
    first = house.looker
    house.looker = Looker(house.ledger.path, OutputContents(house.output))
    assert house.look().said
    house.looker = first
    assert not house.look().said
    assert house.said() == [("move", "street/a.jpg", "street")]


def test_a_photo_that_went_is_gone_and_may_come_back(house: House) -> None:
    row = house.filed("sea/a.jpg")
    house.look()
    (house.output / "sea/a.jpg").rename(house.inbox / "kept-elsewhere.jpg")
    house.look()
    assert house.place(row) == ("sea/a.jpg", "", True)
    (house.output / "street").mkdir()
    (house.inbox / "kept-elsewhere.jpg").rename(house.output / "street/b.jpg")
    house.look()
    assert house.look().said
    assert house.place(row) == ("street/b.jpg", "street", False)


def test_a_photo_that_undo_took_back_has_no_place_and_says_nothing(house: House) -> None:
    row = house.filed("sea/a.jpg")
    house.look()
    home = house.inbox / "a.jpg"
    (was,) = house.ledger._intents("id = ?", row).values()
    back = Intent(Outcome.UNDONE, was.destination, home, was.identity, was.sha256, undoes=row)
    (undo,) = house.ledger.intend([back], house.now_s)
    was.destination.rename(house.output / "street")  # on its way: a look in between must not take it for gone
    house.look()
    assert house.place(row) == ("sea/a.jpg", "", False)
    house.ledger.conclude({undo: Outcome.UNDONE}, house.now_s)
    house.look()
    with closing(house.connection()) as connection:
        assert connection.execute("SELECT count(*) FROM places").fetchone() == (0,)
    assert house.said() == []


def test_more_than_50_photos_of_a_class_at_once_are_one_question(house: House) -> None:
    for number in range(60):
        house.filed(f"sea/{number}.jpg")
    house.look()
    for number in range(51):
        house.move(f"sea/{number}.jpg", f"street/{number}.jpg")
    assert house.look().questions == 1
    assert not house.look().said
    with closing(house.connection()) as connection:
        assert connection.execute("SELECT why, left, photos, answer FROM questions").fetchall() == [
            ("many", "sea", 51, "")
        ]
        assert connection.execute("SELECT count(*) FROM sightings WHERE question = 1").fetchone() == (51,)
    for number in range(51):
        house.move(f"street/{number}.jpg", f"sea/{number}.jpg")
    house.look()
    with closing(house.connection()) as connection:
        assert connection.execute("SELECT answer FROM questions").fetchone() == ("ended",)
    assert house.said() == []


def test_after_an_output_that_was_away_one_question_is_asked(house: House) -> None:
    house.filed("sea/a.jpg")
    house.look()
    away = house.output.with_name("away")
    house.output.rename(away)
    assert house.look().obstacle
    away.rename(house.output)
    house.move("sea/a.jpg", "street/a.jpg")
    assert house.look().questions == 1
    house.look()
    assert house.said() == []


def test_after_a_restored_ledger_one_question_is_asked(house: House) -> None:
    house.filed("sea/a.jpg")
    house.look()
    with closing(house.connection()) as connection, closing(sqlite3.connect(house.state / "backup")) as copy:
        connection.backup(copy)
    house.filed("sea/b.jpg")
    house.look()
    house.ledger.close()
    (house.state / "backup").replace(house.ledger.path)
    for log in ("-wal", "-shm"):
        house.ledger.path.with_name(f"{LEDGER}{log}").unlink(missing_ok=True)
    house.ledger = Ledger(house.ledger.path)
    house.move("sea/a.jpg", "street/a.jpg")
    assert house.look().questions == 1
    house.look()
    assert house.said() == []


def test_an_output_with_another_marker_is_not_looked_at(house: House) -> None:
    house.filed("sea/a.jpg")
    house.look()
    house.output.rename(house.output.with_name("away"))
    house.output.mkdir()
    mark(house.output, "output")
    assert "another folder" in house.look().obstacle


def test_a_look_where_nothing_changed_writes_nothing(house: House) -> None:
    house.filed("sea/a.jpg")
    for _ in range(3):
        house.look()
    log, tree = house.ledger.path.with_name(f"{LEDGER}-wal"), house.state / TREE
    before = log.stat().st_mtime_ns, tree.stat().st_mtime_ns
    house.look()
    assert (log.stat().st_mtime_ns, tree.stat().st_mtime_ns) == before
    assert last_look_s(house.state) is not None


def test_one_look_at_a_time(house: House, tmp_path: Path) -> None:
    from daemon.labels.looker import LOCK, _locked

    with _locked(house.state / LOCK):
        assert house.looker.look(house.now_s) is None


def test_two_ledgers_of_one_output_each_record_their_own_photos(house: House, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = House.__new__(House)
    other.inbox, other.output, other.state = tmp_path / "other/inbox", house.output, tmp_path / "other/state"
    other.inbox.mkdir()
    other.ledger = Ledger(other.state / LEDGER)
    adopt(other.ledger, "output", other.output)
    other.now_s = START_S
    paths = [house.ledger.path, other.ledger.path]
    for one, left in ((house, paths[1:]), (other, paths[:1])):
        one.looker = Looker(one.ledger.path, OutputContents(one.output), left.copy)
    house.filed("sea/a.jpg", b"1")
    other.filed("sea/b.jpg", b"2")
    for one in (house, other, house, other):
        one.look()
    house.move("sea/a.jpg", "street/a.jpg")
    house.move("sea/b.jpg", "street/b.jpg")
    for one in (house, other, house, other):
        one.look()
    assert house.said() == [("move", "street/a.jpg", "street")]
    assert other.said() == [("move", "street/b.jpg", "street")]
    other.ledger.close()
