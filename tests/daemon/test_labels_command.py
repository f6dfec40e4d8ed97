"""`phototriage labels` shows what people said and what waits; its commands answer, add and take back."""

import json
import os
import tempfile
from pathlib import Path

import pytest

from contract.labels import OTHER
from daemon.labels.looker import LOCK, _locked
from daemon.labels.store.description import Description, describe
from daemon.labels.store.tree_file import TREE
from tests.daemon.conftest import Stranger
from tests.daemon.house import ask, told
from tests.daemon.sorted_house import Sorted, facts, refused
from tests.daemon.support import unique, write


@pytest.fixture
def house(tmp_path: Path) -> Sorted:
    return Sorted(tmp_path / "house")


def test_labels_looks_then_shows_what_was_said_and_what_waits(house: Sorted) -> None:
    house.move("sea/0.jpg", "street/0.jpg")
    shown = ask("labels").stdout
    assert "nobody has said anything" in shown
    assert "Seen once: street/0.jpg, sea 0.75; counts as street from " in shown
    (waiting,) = facts(house, "waiting")
    assert (waiting["place"], waiting["shown"], waiting["said"]) == ("street/0.jpg", "sea", "street")
    house.look()
    (label,) = facts(house, "label")
    assert (label["path"], label["shown"], label["said"]) == (str(house.output / "street/0.jpg"), "sea", "street")
    assert (label["how"], label["probability"], label["gone"], label["in_force"]) == ("move", 0.75, False, True)
    lines = ask("labels").stdout.splitlines()
    (row,) = [line.split() for line in lines if "street/0.jpg" in line]
    assert (row[0], *row[3:]) == ("1", "street/0.jpg", "sea", "0.75", "street", "move")
    assert not facts(house, "waiting")


def test_the_newest_labels_come_first_and_old_ones_on_request(house: Sorted) -> None:
    for name in ("street", "sea", "street"):
        ask("labels", "add", "--class", name, house.output / "sea/0.jpg")
    assert [one["said"] for one in facts(house, "label")] == ["street", "sea", "street"]
    assert [one["in_force"] for one in facts(house, "label")] == [True, False, False]
    assert "street, until later" in ask("labels").stdout
    assert [one["number"] for one in told("labels", "--limit", "1") if one["what"] == "label"] == [3]
    assert len([one for one in told("labels", "--all") if one["what"] == "label"]) == 3


def renamed(house: Sorted) -> str:
    """Rename the folder of a class; returns the number of the question."""
    (house.output / "sea").rename(house.output / "street")
    (question,) = facts(house, "question")
    assert (question["why"], question["left"], question["entered"], question["photos"]) == (
        "folder",
        "sea",
        "street",
        2,
    )
    return str(question["number"])


def test_a_question_is_shown_with_the_commands_that_answer_it(house: Sorted) -> None:
    number = renamed(house)
    shown = ask("labels").stdout
    assert f"Question {number}, asked " in shown
    assert "the folder sea was moved or renamed to street, with 2 photos. What does that mean?" in shown
    for reply in ("labels", "renamed", "ignore"):
        assert f"  phototriage labels answer {number} {reply}    # " in shown


def test_the_answer_labels_makes_each_move_a_label(house: Sorted) -> None:
    number = renamed(house)
    assert "2 photos labelled" in ask("labels", "answer", number, "labels").stdout
    assert {(how, said) for how, _, said in house.said()} == {("answer", "street")}
    assert house.one("SELECT count(*) FROM places WHERE said = 'street' AND class = 'street'") == (2,)
    assert house.one("SELECT count(*) FROM sightings") == (0,)
    assert not facts(house, "question")
    assert "was answered already: as labels" in refused("answer", number, "ignore")


@pytest.mark.parametrize("reply", ["renamed", "ignore"])
def test_other_answers_note_the_places_and_say_nothing_and_are_not_asked_again(house: Sorted, reply: str) -> None:
    number = renamed(house)
    assert "0 photos labelled, of 2 photos the place is noted" in ask("labels", "answer", number, reply).stdout
    house.look()
    house.look()
    assert house.said() == []
    assert not facts(house, "question")
    assert house.one("SELECT count(*) FROM places WHERE filed_as = 'street' AND class = 'street'") == (2,)
    assert house.one("SELECT answer FROM questions") == (reply,)


def test_a_photo_that_moved_on_before_the_answer_is_judged_by_itself(house: Sorted) -> None:
    number = renamed(house)
    house.move("street/0.jpg", "harbour/0.jpg")
    said = ask("labels", "answer", number, "labels").stdout
    assert "1 photo labelled" in said
    assert "1 photo moved on since" in said
    assert house.said() == [("answer", "street/1.jpg", "street")]
    house.look()
    house.look()
    assert house.said()[1:] == [("move", "harbour/0.jpg", "harbour")]


def test_a_label_that_was_given_before_is_taken_back_where_its_folder_moved_back(house: Sorted) -> None:
    ask("labels", "answer", renamed(house), "labels")
    (house.output / "street").rename(house.output / "sea")
    (question,) = facts(house, "question")
    ask("labels", "answer", str(question["number"]), "labels")
    assert {said for _, place, said in house.said()[2:]} == {""}
    assert house.one("SELECT count(*) FROM places WHERE said = '' AND class = 'sea'") == (2,)


def test_an_answer_does_not_write_while_a_look_goes_on(house: Sorted, monkeypatch: pytest.MonkeyPatch) -> None:
    number = renamed(house)
    monkeypatch.setattr("daemon.labels.by_hand.answer.PATIENCE_S", 0.0)
    with _locked(house.path.parent / LOCK):
        assert "Try again" in refused("answer", number, "labels")
    assert house.said() == []


def test_a_question_that_is_not_there_is_refused(house: Sorted) -> None:
    assert "There is no question 7" in refused("answer", "7", "labels")


def test_a_filed_photo_is_labelled_by_its_path_now_its_content_or_an_earlier_path(
    house: Sorted, tmp_path: Path
) -> None:
    moved = house.move("sea/0.jpg", "sea/2026/kept.jpg")
    copy = write(tmp_path / "copy.jpg", moved.read_bytes())
    for path in (moved, copy, house.inbox / "0.jpg", house.output / "sea/0.jpg"):
        result = ask("labels", "add", "--class", "street", path)
        assert result.exit_code == 0, result.output
        ask("labels", "take-back", path)
    assert moved.exists()
    added = [one for one in house.events() if one.said]
    assert [(one.photo, one.place, one.shown, one.how) for one in added] == [(1, "sea/2026/kept.jpg", "sea", "add")] * 4


def test_a_photo_that_was_never_filed_is_labelled_by_its_content(house: Sorted, tmp_path: Path) -> None:
    photo = write(tmp_path / "dog.jpg", unique("red", 1))
    assert ask("labels", "add", "--class", "sea", photo).stdout == f"{photo}: sea.\n"
    (event,) = house.events()
    assert (event.photo, event.place, event.shown, event.said) == (None, str(photo), "", "sea")
    assert len(event.sha256) == 64
    assert ask("labels", "add", "--class", "sea", photo).stdout == f"{photo}: already sea.\n"
    assert len(house.events()) == 1


def test_none_of_these_classes_is_a_word_too(house: Sorted) -> None:
    assert ask("labels", "add", "--none", house.output / "sea/0.jpg").exit_code == 0
    assert house.said() == [("add", "sea/0.jpg", OTHER)]
    assert not facts(house, "proposed class")


def test_a_typo_makes_no_class(house: Sorted) -> None:
    photo = house.output / "sea/0.jpg"
    said = refused("add", "--class", "stret", photo)
    assert "stret (did you mean street?)" in said
    assert "add --new" in said
    assert "cannot be the name of a folder" in refused("add", "--class", "a/b", photo)
    assert house.said() == []
    assert ask("labels", "add", "--class", "STREET", photo).exit_code == 0
    assert house.said() == [("add", "sea/0.jpg", "street")]


def test_a_new_class_is_proposed_and_its_groups_are_counted(house: Sorted) -> None:
    photos = [house.output / f"sea/{number}.jpg" for number in range(2)]
    assert ask("labels", "add", "--class", "pets", "--new", *photos).exit_code == 0
    (proposed,) = facts(house, "proposed class")
    assert (proposed["name"], proposed["photos"], proposed["groups"], proposed["needed"]) == ("pets", 2, 2, 10)
    with house.connected() as connection:
        connection.execute("UPDATE labelled SET founder = 'one and the same'")
    assert "Proposed class pets: 1 of 10 photos, used from 10 photos of different groups on." in ask("labels").stdout


def test_one_wrong_file_and_nothing_is_recorded(house: Sorted, tmp_path: Path) -> None:
    text = write(tmp_path / "notes.txt", b"no photo")
    assert "is no photo" in refused("add", "--class", "sea", house.output / "sea/0.jpg", text)
    assert "does not exist" in refused("add", "--class", "sea", house.output / "sea/0.jpg", tmp_path / "nothing.jpg")
    assert "Name photos" in refused("add", "--class", "sea", tmp_path)
    assert house.said() == []
    assert "--class" in refused("add", house.output / "sea/0.jpg", code=2)


def test_a_label_is_taken_back_by_file_or_number_and_the_table_keeps_it(house: Sorted) -> None:
    photos = [house.output / f"sea/{number}.jpg" for number in range(2)]
    ask("labels", "add", "--class", "street", *photos)
    assert ask("labels", "take-back", photos[0], "2").exit_code == 0
    assert house.said()[2:] == [("take-back", "sea/1.jpg", ""), ("take-back", "sea/0.jpg", "")]
    assert house.one("SELECT count(*) FROM places WHERE said <> ''") == (0,)
    assert house.one("SELECT count(*) FROM labelled WHERE said <> ''") == (0,)
    assert [one["said"] for one in facts(house, "label")] == ["", "", "street", "street"]
    assert "No label of" in refused("take-back", photos[0])
    assert "Label 1 is not in force any more" in refused("take-back", "1")
    assert "There is no label 99" in refused("take-back", "99")


def test_a_label_of_a_content_that_was_filed_twice_is_taken_back_from_both(house: Sorted) -> None:
    first = house.output / "sea/0.jpg"
    ask("labels", "add", "--class", "street", first)
    with house.connected() as connection:
        connection.execute("UPDATE photos SET sha256 = (SELECT sha256 FROM photos WHERE id = 1)")
    ask("labels", "take-back", house.output / "sea/1.jpg")
    assert house.one("SELECT count(*) FROM places WHERE said <> ''") == (0,)


def test_two_ledgers_of_one_output_each_keep_the_words_about_their_photos(tmp_path: Path) -> None:
    one = Sorted(tmp_path / "one", photos=1)
    other = Sorted(tmp_path / "other", output=one.output, photos=0)
    theirs = other.file("b.jpg")
    other.look()
    assert ask("labels", "add", "--class", "street", theirs).exit_code == 0
    assert (one.said(), other.said()) == ([], [("add", "sea/b.jpg", "street")])
    stranger = write(tmp_path / "dog.jpg", unique("red", 1))
    assert "Choose one with --inbox" in refused("add", "--class", "sea", stranger)
    assert ask("labels", "add", "--class", "sea", "--inbox", one.inbox, stranger).exit_code == 0
    assert [how for how, *_ in one.said()] == ["add"]
    assert "Several ledgers have a label 1" in refused("take-back", "1")
    assert f"answer 1 labels --inbox {one.inbox}" not in ask("labels").stdout


def test_a_ledger_that_may_not_be_written_is_shown_as_of_its_last_look(house: Sorted, stranger: Stranger) -> None:
    house.path.parent.chmod(0o555)
    house.path.chmod(0o444)
    shown = stranger.phototriage("labels")
    assert shown.returncode == 0, shown.stderr
    assert "Not looked at now, because this user may not write the ledger. Last look: 2" in shown.stdout
    said = stranger.phototriage("labels", "add", "--class", "street", house.output / "sea/0.jpg")
    house.path.parent.chmod(0o755)
    assert said.returncode == 1
    assert "may not write the ledger" in said.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is another user")
def test_root_speaks_for_a_service_and_leaves_nothing_of_root_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = write(tmp_path / "dog.jpg", unique("red", 1))
    table = write(tmp_path / "labels.csv", b"dog.jpg,sea\n")
    tmp_path.chmod(0o700)
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:  # pytest's own folders are closed to other users
        monkeypatch.setenv("XDG_STATE_HOME", f"{folder}/state")
        house = Sorted(Path(folder) / "house")
        state = house.path.parent
        for name in (LOCK, TREE):
            (state / name).unlink()
        for path in (Path(folder), *Path(folder).rglob("*")):
            os.chown(path, 12345, 12345, follow_symlinks=False)
        for words in (
            (),
            ("add", "--class", "street", house.output / "sea/0.jpg", private),
            ("import", table, "--yes", "--replace"),
            ("take-back", private),
            ("forget", private),
        ):
            result = ask("labels", *words)
            assert result.exit_code == 0, result.output
        assert {path.lstat().st_uid for path in Path(folder).rglob("*")} == {12345}
        assert (state / TREE).exists()
        assert (state / LOCK).exists()
        assert house.said() == [("add", "sea/0.jpg", "street")]
        assert os.geteuid() == 0


def test_folders_that_cannot_teach_are_said(house: Sorted) -> None:
    with house.connected() as connection:
        describe(connection, Description("{date:%Y}/{name}", ("sea", "street")))
    assert "Folders cannot teach here. The layout has no folder that is {label} alone" in ask("labels").stdout


def test_an_output_that_is_away_is_said(house: Sorted) -> None:
    house.output.rename(house.output.with_name("away"))
    assert "Not looked at now, because " in ask("labels").stdout
    assert facts(house, "look")[0]["obstacle"]


def test_options_before_a_command_are_refused_and_not_ignored(house: Sorted) -> None:
    assert "Put --inbox behind `add`" in refused("--inbox", house.inbox, "add", "--class", "sea", "x.jpg", code=2)


def test_json_of_names_that_are_no_text_is_ascii(house: Sorted) -> None:
    photo = house.file("\udcff\x1b[31m.jpg")
    added = ask("labels", "add", "--class", "street", photo)
    assert added.exit_code == 0, added.output
    result = ask("labels", "--json")
    assert result.stdout.isascii()
    assert json.loads(result.stdout.splitlines()[0])["path"] == str(photo)
    assert "\x1b" not in ask("labels").stdout
