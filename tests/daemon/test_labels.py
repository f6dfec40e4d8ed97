"""What moved photos say: each row of the table in docs/labels.md, in memory and on a real file system."""

import os
import unicodedata
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.filing.layout import Layout
from daemon.labels.class_folders import ClassFolders
from daemon.labels.findings import Findings, Why
from daemon.labels.listed.folder_reader import Entry
from daemon.labels.listed.lister import list_output
from daemon.labels.listed.tree import EMPTY, Tree
from daemon.labels.rows import Row
from tests.daemon.moved import CLASSES, Disk, Memory, Output, photo, place_in


@pytest.fixture(params=["memory", "disk"])
def output(request: pytest.FixtureRequest, tmp_path: Path) -> Output:
    return Output(Memory() if request.param == "memory" else Disk(tmp_path))


def labels(found: Findings) -> list[str]:
    return [label.name for label in found.labels]


def says_nothing(found: Findings) -> bool:
    return not (found.labels or found.taken_back or found.questions)


def test_a_photo_in_another_class_folder_at_two_looks_is_a_label(output: Output) -> None:
    row = output.file("sea/a.jpg")
    output.look()
    output.disk.move("sea/a.jpg", "forest/trip/b.jpg")
    assert says_nothing(output.look())
    assert says_nothing(output.look(29.0))
    found = output.look(1.0)
    assert [(label.row, label.name, label.place) for label in found.labels] == [(row, "forest", "forest/trip/b.jpg")]
    assert output.known.by_id[row].said == "forest"
    assert says_nothing(output.looks())
    assert output.hashed == []


def test_another_file_in_the_place_that_a_moved_photo_left_does_not_end_its_label(output: Output) -> None:
    row = output.file("sea/a.jpg")
    output.look()
    output.disk.move("sea/a.jpg", "forest/a.jpg")
    output.look()
    output.disk.write("sea/a.jpg", photo(900))
    assert [(label.row, label.name) for label in output.look().labels] == [(row, "forest")]


def test_a_photo_that_moves_on_between_two_looks_says_the_last_place(output: Output) -> None:
    output.file("sea/a.jpg")
    output.look()
    output.disk.move("sea/a.jpg", "forest/a.jpg")
    output.look()
    output.disk.move("forest/a.jpg", "street/a.jpg")
    assert says_nothing(output.look())
    assert labels(output.look()) == ["street"]


def test_a_copy_whose_original_was_deleted_is_known_by_its_content(output: Output) -> None:
    output.file("sea/a.jpg")
    output.file("sea/b.jpg")
    output.look()
    output.disk.write("forest/x.jpg", output.disk.read("sea/a.jpg"))
    output.disk.delete("sea/a.jpg")
    assert labels(output.looks()) == ["forest"]
    assert set(output.hashed) == {"forest/x.jpg"}


def test_a_photo_that_comes_back_takes_its_label_back(output: Output) -> None:
    row = output.file("sea/a.jpg")
    output.look()
    output.disk.move("sea/a.jpg", "forest/a.jpg")
    output.looks()
    output.disk.move("forest/a.jpg", "sea/other name.jpg")
    assert says_nothing(output.look())
    found = output.look()
    assert [back.row for back in found.taken_back] == [row]
    assert labels(found) == []
    assert output.known.by_id[row].said == ""
    assert says_nothing(output.looks())


def test_a_photo_from_review_is_labelled_and_taken_back_into_it(output: Output) -> None:
    row = output.file("_review/a.jpg")
    output.look()
    output.disk.move("_review/a.jpg", "sea/a.jpg")
    assert labels(output.looks()) == ["sea"]
    output.disk.move("sea/a.jpg", "_review/a.jpg")
    assert [back.row for back in output.looks().taken_back] == [row]


@pytest.mark.parametrize(
    "place",
    ["sea/b.jpg", "sea/trip/a.jpg", "SEA/a.jpg", "Sea/2024/a.jpg"],
)
def test_another_name_or_subfolder_or_spelling_of_the_same_class_is_noted(output: Output, place: str) -> None:
    row = output.file("sea/a.jpg")
    output.look()
    output.disk.move("sea/a.jpg", place)
    found = output.looks()
    assert says_nothing(found)
    assert output.known.by_id[row].place == place


def test_the_unicode_form_of_a_class_folder_does_not_matter(output: Output) -> None:
    row = output.file("caf\u00e9/a.jpg")
    output.look()
    output.disk.move_folder("caf\u00e9", unicodedata.normalize("NFD", "Caf\u00e9"))
    assert says_nothing(output.looks())
    assert output.known.by_id[row].place == "Cafe\u0301/a.jpg"


@pytest.mark.parametrize("how", ["copy", "link"])
def test_a_photo_in_both_places_says_nothing_until_one_is_gone(output: Output, how: str) -> None:
    output.file("sea/a.jpg")
    output.look()
    getattr(output.disk, how)("sea/a.jpg", "forest/a.jpg")
    assert says_nothing(output.looks(3))
    output.disk.delete("sea/a.jpg")
    assert labels(output.looks()) == ["forest"]


def test_a_link_to_one_of_two_equal_photos_does_not_answer_for_the_other_one_that_is_gone(output: Output) -> None:
    gone = output.file("sea/a.jpg", photo(7))
    output.file("sea/b.jpg", photo(7))
    output.look()
    output.disk.link("sea/b.jpg", "forest/x.jpg")
    output.disk.delete("sea/a.jpg")
    assert says_nothing(output.looks(3))
    assert output.known.by_id[gone].is_gone


def test_two_copies_without_the_original_say_nothing_until_one_is_gone(output: Output) -> None:
    output.file("sea/a.jpg")
    output.look()
    for place in ("forest/a.jpg", "street/a.jpg"):
        output.disk.copy("sea/a.jpg", place)
    output.disk.delete("sea/a.jpg")
    assert says_nothing(output.looks(3))
    output.disk.delete("forest/a.jpg")
    assert labels(output.looks()) == ["street"]


@pytest.mark.parametrize(
    "place",
    ["_review/a.jpg", "_mine/a.jpg", "forest/_best/a.jpg", "a.jpg", "forest/.hidden.jpg", ".trash/a.jpg",
     "forest/@eaDir/a.jpg", "#recycle/a.jpg", "forest/a.jpg.part", "forest/a.jpg_original", "forest/~a.jpg"],
)  # fmt: skip
def test_what_lies_in_no_class_is_no_label(output: Output, place: str) -> None:
    row = output.file("sea/a.jpg")
    output.look()
    output.disk.move("sea/a.jpg", place)
    assert says_nothing(output.looks(3))
    output.disk.move(place, "sea/a.jpg")
    assert says_nothing(output.looks(3))
    assert output.known.by_id[row].place == "sea/a.jpg"
    assert not output.known.by_id[row].is_gone


def test_what_was_deleted_or_taken_out_is_no_label_and_counts_when_it_returns(output: Output) -> None:
    row = output.file("sea/a.jpg")
    output.file("sea/b.jpg")
    output.look()
    output.disk.take_out("sea/a.jpg")
    output.disk.delete("sea/b.jpg")
    found = output.looks()
    assert says_nothing(found)
    assert len(found.gone) == 2
    output.disk.put_in("sea/a.jpg", "forest/a.jpg")
    assert [label.row for label in output.looks().labels] == [row]


def test_a_label_stays_in_force_when_its_photo_goes(output: Output) -> None:
    row = output.file("sea/a.jpg")
    output.look()
    output.disk.move("sea/a.jpg", "forest/a.jpg")
    output.looks()
    output.disk.move("forest/a.jpg", "_later/a.jpg")
    assert says_nothing(output.looks())
    output.disk.move("_later/a.jpg", "forest/a.jpg")
    assert says_nothing(output.looks())
    assert output.known.by_id[row].said == "forest"


@pytest.mark.parametrize("how", ["edit", "write"])
def test_other_bytes_in_its_place_are_noted_so_that_a_later_move_counts(output: Output, how: str) -> None:
    row = output.file("sea/a.jpg")
    output.look()
    getattr(output.disk, how)("sea/a.jpg", photo(row[1], 1))
    output.disk.write("sea/another.jpg", b"photo 999 ")  # else the folder shows no change of an edit in place
    assert says_nothing(output.looks())
    output.disk.move("sea/a.jpg", "forest/b.jpg")
    assert labels(output.looks()) == ["forest"]


def test_another_photo_that_was_put_in_its_place_carries_no_label_by_a_later_move(output: Output) -> None:
    row = output.file("sea/a.jpg")
    output.look()
    output.disk.write("sea/a.jpg", photo(900, 1))
    output.look()
    output.disk.move("sea/a.jpg", "forest/a.jpg")
    assert says_nothing(output.looks(3))
    assert output.known.by_id[row].place == "forest/a.jpg"
    output.disk.move("forest/a.jpg", "street/a.jpg")
    assert says_nothing(output.looks(3))


def test_where_there_is_no_model_the_move_of_an_edited_photo_waits_for_one(output: Output) -> None:
    row = output.file("sea/a.jpg")
    output.look()
    output.disk.write("sea/a.jpg", photo(row[1], 1))
    output.look()
    output.disk.move("sea/a.jpg", "forest/a.jpg")
    output.has_no_model = True
    assert says_nothing(output.looks(3))
    output.has_no_model = False
    assert labels(output.look()) == ["forest"]


def test_a_backup_beside_an_edited_photo_does_not_take_its_row(output: Output) -> None:
    row = output.file("sea/a.jpg")
    output.look()
    output.disk.move("sea/a.jpg", "sea/a (original).jpg")
    output.disk.write("sea/a.jpg", photo(row[1], 1))
    output.look()
    assert output.known.by_id[row].place == "sea/a.jpg"
    output.disk.move("sea/a.jpg", "forest/a.jpg")
    assert labels(output.looks()) == ["forest"]


@pytest.mark.parametrize(
    ("name", "shows", "said"), [("a.jpg", 1, ["forest"]), ("b.jpg", 1, []), ("a.jpg", 7, [])],
    ids=["edited and moved", "another name", "another photo"],
)  # fmt: skip
def test_edited_and_moved_between_two_looks_is_known_by_name_and_likeness(
    output: Output, name: str, shows: int, said: list[str]
) -> None:
    output.file("sea/a.jpg")
    output.look()
    output.disk.delete("sea/a.jpg")
    output.disk.write(f"forest/{name}", photo(shows, 1))
    assert labels(output.looks()) == said


def test_an_edited_photo_beside_two_copies_of_the_original_says_nothing_until_one_is_gone(output: Output) -> None:
    row = output.file("sea/a.jpg")
    output.look()
    for name in "bc":
        output.disk.write(f"forest/{name}.jpg", output.disk.read("sea/a.jpg"))
    output.disk.write("street/a.jpg", photo(row[1], 1))
    output.disk.delete("sea/a.jpg")
    assert says_nothing(output.looks(3))
    output.disk.delete("forest/b.jpg")
    assert labels(output.looks()) == ["forest"]


def test_of_two_photos_filed_in_one_place_the_later_one_was_edited_there(output: Output) -> None:
    first = output.file("sea/a.jpg")
    output.disk.move("sea/a.jpg", "sea/b.jpg")
    second = output.file("sea/a.jpg", is_copy=True)
    output.disk.write("sea/a.jpg", photo(second[1], 1))
    output.look()
    assert [output.known.by_id[row].place for row in (first, second)] == ["sea/b.jpg", "sea/a.jpg"]
    output.disk.move("sea/a.jpg", "forest/a.jpg")
    assert [label.row for label in output.looks().labels] == [second]


def test_two_photos_that_changed_places_both_say_so(output: Output) -> None:
    first, second = output.file("sea/a.jpg"), output.file("forest/a.jpg")
    output.look()
    output.disk.move("sea/a.jpg", "street/x.jpg")
    output.disk.move("forest/a.jpg", "sea/a.jpg")
    output.disk.move("street/x.jpg", "forest/a.jpg")
    assert {label.row: label.name for label in output.looks().labels} == {first: "forest", second: "sea"}


def test_a_photo_that_comes_back_to_a_place_that_was_given_again_drives_the_new_one_out(output: Output) -> None:
    first = output.file("_review/a.jpg")
    output.look()
    output.disk.take_out("_review/a.jpg")
    output.look()
    second = output.file("_review/a.jpg")
    output.look()
    output.disk.move("_review/a.jpg", "forest/a.jpg")
    output.disk.put_in("_review/a.jpg", "_review/a.jpg")
    assert [(label.row, label.name) for label in output.looks().labels] == [(second, "forest")]
    assert not output.known.by_id[first].is_gone


def test_a_photo_moved_over_another_leaves_that_one_gone(output: Output) -> None:
    first, second = output.file("sea/a.jpg"), output.file("forest/a.jpg")
    output.look()
    output.disk.move("sea/a.jpg", "forest/a.jpg")
    found = output.looks()
    assert [(label.row, label.name) for label in found.labels] == [(first, "forest")]
    assert found.gone == [second]


def test_a_photo_linked_over_another_does_not_answer_for_that_one(output: Output) -> None:
    first, second = output.file("sea/a.jpg"), output.file("street/b.jpg")
    output.look()
    output.disk.move("sea/a.jpg", "forest/a.jpg")
    output.disk.link("street/b.jpg", "sea/a.jpg")
    assert [(label.row, label.name) for label in output.looks().labels] == [(first, "forest")]
    assert output.known.by_id[second].place == "street/b.jpg"


def test_a_photo_at_two_places_does_not_answer_for_the_one_in_whose_place_it_lies(output: Output) -> None:
    first = output.file("sea/a.jpg")
    output.file("_review/b.jpg")
    output.look()
    output.disk.move("sea/a.jpg", "forest/a.jpg")
    output.disk.move("_review/b.jpg", "street/b.jpg")
    output.disk.link("street/b.jpg", "sea/a.jpg")
    found = output.looks()
    assert [(label.row, label.name) for label in found.labels] == [(first, "forest")]


def test_a_file_that_came_to_the_place_of_a_photo_that_went_is_not_that_photo(output: Output) -> None:
    first, second = output.file("sea/a.jpg"), output.file("sea/b.jpg")
    output.look()
    output.disk.take_out("sea/a.jpg")
    output.disk.write("sea/a.jpg", output.disk.read("sea/b.jpg"))
    output.disk.delete("sea/b.jpg")
    output.looks()
    assert output.known.by_id[second].place == "sea/a.jpg"
    assert output.known.by_id[first].is_gone
    output.disk.move("sea/a.jpg", "forest/a.jpg")
    assert [label.row for label in output.looks().labels] == [second]


def test_a_file_that_no_ledger_knows_is_never_a_label(output: Output) -> None:
    output.disk.write("sea/mine.jpg", b"photo 900")
    output.look()
    output.disk.move("sea/mine.jpg", "forest/mine.jpg")
    assert says_nothing(output.looks(3))


def test_what_lay_there_before_the_photo_was_filed_does_not_answer_for_it(output: Output) -> None:
    """A program that removes duplicates keeps the older file: nobody has said a class by that."""
    output.disk.write("forest/mine.jpg", photo(1))
    output.look()
    output.file("sea/a.jpg", photo(1))
    output.look()
    output.disk.delete("sea/a.jpg")
    assert says_nothing(output.looks(3))


def test_a_photo_in_its_place_does_not_answer_for_an_equal_one_that_was_deleted(output: Output) -> None:
    first = output.file("sea/a.jpg", photo(1))
    output.look()
    second = output.file("forest/b.jpg", photo(1))
    output.look()
    output.disk.delete("sea/a.jpg")
    found = output.looks(3)
    assert says_nothing(found)
    assert found.gone == [first]
    assert output.known.by_id[second].place == "forest/b.jpg"


def test_the_first_look_is_the_base_line(output: Output) -> None:
    row = output.file("sea/a.jpg")
    output.disk.move("sea/a.jpg", "forest/a.jpg")
    output.before = EMPTY
    assert says_nothing(output.looks(3))
    assert output.known.by_id[row].place == "forest/a.jpg"
    output.disk.move("forest/a.jpg", "forest/trip/a.jpg")
    assert says_nothing(output.looks(3))
    output.disk.move("forest/trip/a.jpg", "street/a.jpg")
    assert labels(output.looks()) == ["street"]


@pytest.mark.parametrize(
    ("folder", "name", "is_proposed"),
    [("dogs", "dogs", True), ("Forest", "forest", False), ("CAFE\u0301", "caf\u00e9", False), ("cafe", "cafe", True)],
)
def test_a_folder_that_is_no_known_class_in_any_spelling_proposes_one(
    output: Output, folder: str, name: str, is_proposed: bool
) -> None:
    output.file("sea/a.jpg")
    output.look()
    output.disk.move("sea/a.jpg", f"{folder}/a.jpg")
    assert [(label.name, label.is_proposed) for label in output.looks().labels] == [(name, is_proposed)]


def test_another_spelling_of_a_proposed_class_is_no_new_label(output: Output) -> None:
    row = output.file("sea/a.jpg")
    output.look()
    output.disk.move("sea/a.jpg", "dogs/a.jpg")
    output.looks()
    output.disk.move_folder("dogs", "Dogs")
    assert says_nothing(output.looks(3))
    assert (output.known.by_id[row].place, output.known.by_id[row].said) == ("Dogs/a.jpg", "dogs")


@pytest.mark.parametrize("name", ["con", "dogs ", "a" * 101, "x:y"])
def test_a_folder_whose_name_cannot_be_a_class_proposes_none(output: Output, name: str) -> None:
    output.file("sea/a.jpg")
    output.look()
    output.disk.move("sea/a.jpg", f"{name}/a.jpg")
    assert says_nothing(output.looks())


@pytest.mark.parametrize(
    ("left", "entered"), [("sea", "ocean"), ("sea", "forest/sea"), ("sea/trip", "forest/trip"), ("_review", "street")]
)
def test_a_moved_folder_is_one_question_and_nothing_until_it_is_answered(
    output: Output, left: str, entered: str
) -> None:
    rows = {output.file(f"{left}/{name}.jpg") for name in "abc"}
    output.look()
    output.disk.move_folder(left, entered)
    found = output.looks(3)
    assert [(one.why, one.left, one.entered, one.rows) for one in found.questions] == [
        (Why.FOLDER, left, entered, frozenset(rows))
    ]
    assert labels(found) == []
    output.disk.move_folder(entered, left)
    assert says_nothing(output.looks(3))
    assert output.sightings == {}


def test_a_folder_that_was_away_between_two_looks_is_still_a_folder(output: Output) -> None:
    output.file("sea/trip/a.jpg")
    output.look()
    output.disk.move_folder("sea/trip", ".away")
    output.look()
    output.disk.move_folder(".away", "forest/trip")
    found = output.looks(3)
    assert [one.why for one in found.questions] == [Why.FOLDER]
    assert labels(found) == []


def test_a_folder_moved_inside_its_class_is_noted(output: Output) -> None:
    row = output.file("sea/trip/a.jpg")
    output.look()
    output.disk.move_folder("sea/trip", "sea/holiday")
    assert says_nothing(output.looks())
    assert output.known.by_id[row].place == "sea/holiday/a.jpg"


@pytest.mark.parametrize(
    ("folder", "moved", "stay", "asked"),
    [("sea", 51, 0, True), ("sea", 50, 0, False), ("sea", 51, 970, False), ("_review", 60, 0, False)],
    ids=["many", "few", "a small share", "out of review"],
)
def test_many_photos_of_a_class_at_once_are_one_question(folder: str, moved: int, stay: int, asked: bool) -> None:
    output = Output(Memory())
    rows = {output.file(f"{folder}/{number}.jpg") for number in range(moved)}
    for number in range(stay):
        output.file(f"{folder}/stays/{number}.jpg")
    output.look()
    for number in range(moved):
        output.disk.move(f"{folder}/{number}.jpg", f"forest/{number}.jpg")
    found = output.looks(3)
    assert [(one.why, one.left, one.rows) for one in found.questions] == (
        [(Why.MANY, folder, frozenset(rows))] if asked else []
    )
    assert len(found.labels) == (0 if asked else moved)


def test_a_look_in_the_middle_of_a_mass_move_does_not_split_it() -> None:
    output = Output(Memory())
    for number in range(60):
        output.file(f"sea/{number}.jpg")
    output.look()
    for number in range(60):
        output.disk.move(f"sea/{number}.jpg", f"forest/{number}.jpg")
        if number == 20:
            output.look(1.0)
    found = output.looks(3)
    assert [len(one.rows) for one in found.questions] == [60]
    assert labels(found) == []


def test_the_look_after_an_interruption_asks_instead_of_labelling(output: Output) -> None:
    row = output.file("sea/a.jpg")
    output.look()
    output.disk.move("sea/a.jpg", "forest/a.jpg")
    assert [(one.why, one.rows) for one in output.look(was_interrupted=True).questions] == [
        (Why.INTERRUPTED, frozenset({row}))
    ]
    assert says_nothing(output.looks(3))


def test_our_own_moves_are_known_by_their_rows(output: Output) -> None:
    row = output.file("sea/a.jpg")
    output.look()
    output.disk.move("sea/a.jpg", "forest/a.jpg")
    output.look()  # the row is read before the move is concluded
    output.known.by_id[row] = output.known.by_id[row]._replace(place="forest/a.jpg", filed_as="forest")
    assert says_nothing(output.looks(3))
    assert output.sightings == {}


def test_in_copy_mode_what_lies_in_the_output_counts(output: Output) -> None:
    row = output.file("sea/a.jpg", is_copy=True)
    output.look()
    assert output.known.by_id[row].file == output.disk.file("sea/a.jpg")
    assert output.hashed == []
    output.disk.move("sea/a.jpg", "forest/b.jpg")
    assert labels(output.looks()) == ["forest"]


def test_a_symbolic_link_is_known_by_its_target(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    output = Output(disk)
    row = output.file("sea/a.jpg")
    (disk.root / "sea/a.jpg").rename(tmp_path / "original.jpg")
    (disk.root / "sea/a.jpg").symlink_to(tmp_path / "original.jpg")
    known = output.known.by_id[row]
    output.known.by_id[row] = known._replace(file=known.file._replace(target=str(tmp_path / "original.jpg")))
    output.look()
    (disk.root / "sea/a.jpg").unlink()
    (disk.root / "forest").mkdir()
    (disk.root / "forest/b.jpg").symlink_to(tmp_path / "original.jpg")
    (disk.root / "forest/c.jpg").symlink_to(tmp_path / "another.jpg")
    assert [(label.row, label.place) for label in output.looks().labels] == [(row, "forest/b.jpg")]


def test_of_two_equal_photos_each_file_answers_for_one(output: Output) -> None:
    rows = [output.file("sea/a.jpg", photo(1)), output.file("sea/a-1.jpg", photo(1))]
    output.look()
    for place, other in (("sea/a.jpg", "forest/a.jpg"), ("sea/a-1.jpg", "street/a-1.jpg")):
        output.disk.write(other, output.disk.read(place))
        output.disk.delete(place)
    assert {label.row: label.name for label in output.looks().labels} == {rows[0]: "forest", rows[1]: "street"}


def test_a_look_at_an_unchanged_output_asks_the_ledger_only_for_new_rows(output: Output) -> None:
    output.file("sea/a.jpg")
    output.looks(3)
    for asked in ("at", "displaced", "gone", "rows"):
        setattr(output.known, asked, None)
    assert says_nothing(output.looks())


def test_of_a_folder_that_changed_only_the_rows_at_names_that_differ_are_read(output: Output) -> None:
    output.file("sea/a.jpg")
    output.looks(3)
    output.disk.write("sea/b.jpg", photo(900))
    asked, real = list[set[str]](), output.known.at

    def at(folder: str, names: Collection[str]) -> list[Row]:
        asked.append({f"{folder}/{name}" for name in names})
        return real(folder, names)

    output.known.at, output.known.displaced = at, None  # type: ignore[assignment, method-assign]
    output.look()
    assert asked == [{"sea/b.jpg"}]


def test_after_an_interruption_all_rows_are_compared(output: Output) -> None:
    row = output.file("sea/a.jpg")
    output.looks(3)
    output.known.by_id[row] = output.known.by_id[row]._replace(place="sea/b.jpg")  # as after a kill of a mover
    assert output.look().noted == []
    assert [noted.place for noted in output.look(was_interrupted=True).noted] == ["sea/a.jpg"]


def test_a_photo_that_was_filed_and_moved_between_two_looks_counts(output: Output) -> None:
    output.disk.make_folder("sea")
    output.look()
    for place in ("sea/a.jpg", "dogs/b.jpg"):
        output.file(place)
        output.disk.move(place, place_in("forest", place))
    assert labels(output.looks(3)) == ["forest", "forest"]


@pytest.mark.parametrize(
    ("layout", "place", "name"),
    [
        ("{label}/{relpath}/{name}", "SEA/trip/x.jpg", "sea"),
        ("{label}/{date:%Y/%m}/{name}", "sea/anything/x.jpg", "sea"),
        ("{date:%Y/%m}/{label}/{name}", "2024/07/sea/more/x.jpg", "sea"),
        ("{date:%Y/%m}/{label}/{name}", "2024/sea/x.jpg", ""),
        ("{date:%Y/%m}/{label}/{name}", "holiday/07/sea/x.jpg", ""),
        ("by class/{label}/{name}", "By Class/sea/x.jpg", "sea"),
        ("by class/{label}/{name}", "others/sea/x.jpg", ""),
        ("{relpath}/{label}/{date:%Y}/{name}", "trip/day/sea/2024/x.jpg", "sea"),
        ("{relpath}/{label}/{date:%Y}/{name}", "trip/day/sea/x.jpg", ""),
        ("{label}/{label}-{name}", "sea/street-x.jpg", "sea"),
    ],
)
def test_a_layout_is_read_back(layout: str, place: str, name: str) -> None:
    folders = ClassFolders(Layout(layout), CLASSES)
    assert folders.why_not == ""
    assert folders.where(place).name == name
    assert folders.where(place).is_class == bool(name)


@pytest.mark.parametrize(
    ("layout", "why"),
    [
        ("{name}", "no folder that is {label} alone"),
        ("{date}/{label}-{name}", "no folder that is {label} alone"),
        ("class {label}/{name}", "no folder that is {label} alone"),
        ("{label}{date}/{name}", "no folder that is {label} alone"),
        ("{relpath}/{label}/{relpath}/{name}", "more than one way"),
        ("{label}/x {label}/{name}", "more than one way"),
        ("{label}/{label}/{name}", "more than one way"),
    ],
)
def test_under_a_layout_that_cannot_be_read_back_folders_teach_nothing(layout: str, why: str) -> None:
    folders = ClassFolders(Layout(layout), CLASSES)
    assert why in folders.why_not
    assert not folders.where("sea/a.jpg").is_class


def test_inboxes_and_other_outputs_are_not_looked_into(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    for place in ("inbox/a.jpg", "sea/inner/a.jpg", "sea/inner/.phototriage", "sea/b.jpg"):
        disk.write(place, b"x")
    tree = list_output(disk.root, EMPTY, 1.0, [disk.root / "inbox"])
    assert {(path, name) for path, folder in tree.folders.items() for name in folder.listing.names()} == {
        ("sea", "b.jpg")
    }


def test_only_folders_that_changed_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(tmp_path)
    for folder in ("sea", "forest", "sea/trip"):
        disk.write(f"{folder}/a.jpg", b"x")
    trees = [EMPTY]
    for now_s in (1.0, 2.0):  # a folder is listed once more at the same time of change
        trees.append(list_output(disk.root, trees[-1], now_s))
    listed, real = list[str](), os.scandir

    def scandir(descriptor: int) -> "os._ScandirIterator[str]":
        listed.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        return real(descriptor)

    monkeypatch.setattr(os, "scandir", scandir)
    trees.append(list_output(disk.root, trees[-1], 3.0))
    assert listed == []
    assert trees[-1].changed(trees[-2]) == []
    disk.write("sea/trip/b.jpg", b"x")
    listed.clear()
    trees.append(list_output(disk.root, trees[-1], 4.0))
    assert "sea" not in listed
    assert trees[-1].changed(trees[-2]) == ["sea/trip"]


def test_a_file_that_came_in_the_clock_step_of_a_listing_is_seen_at_the_next(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    disk.write("sea/a.jpg", b"x")
    first = list_output(disk.root, EMPTY, 1.0)
    step_ns = (disk.root / "sea").stat().st_mtime_ns
    disk.write("sea/b.jpg", b"x")
    os.utime(disk.root / "sea", ns=(step_ns, step_ns))
    second = list_output(disk.root, first, 2.0)
    assert sorted(second.listing("sea").names()) == ["a.jpg", "b.jpg"]
    assert second.changed(first) == ["sea"]


def test_a_folder_that_cannot_be_read_says_nothing_about_its_photos(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(tmp_path)
    output = Output(disk)
    output.file("sea/a.jpg")
    output.file("sea/b.jpg")
    output.look()
    disk.copy("sea/a.jpg", "forest/a.jpg")
    output.look()
    real = os.stat

    def stat(path: str, *, follow_symlinks: bool = True) -> os.stat_result:
        if str(path).endswith("/sea"):
            raise OSError(5, "Input/output error")
        return real(path, follow_symlinks=follow_symlinks)

    with monkeypatch.context() as broken:
        broken.setattr(os, "stat", stat)
        found = output.looks(3)
    assert says_nothing(found)
    assert found.gone == []
    assert says_nothing(output.looks())


def test_a_photo_that_cannot_be_read_now_is_not_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(tmp_path)
    output = Output(disk)
    output.file("sea/a.jpg")
    output.look()
    disk.copy("sea/a.jpg", "forest/a.jpg")
    real = os.scandir

    @contextmanager
    def scandir(descriptor: int) -> Iterator[list[Entry]]:
        with real(descriptor) as entries:
            yield [Broken(entry) if entry.name == "a.jpg" else entry for entry in entries]  # type: ignore[misc]

    with monkeypatch.context() as broken:
        broken.setattr(os, "scandir", scandir)
        found = output.looks(3)
    assert says_nothing(found)
    assert found.gone == []
    assert says_nothing(output.looks())


class Broken:
    """A file on a share that hiccups."""

    def __init__(self, entry: Entry) -> None:
        self.name, self.is_dir, self.is_symlink = entry.name, entry.is_dir, entry.is_symlink

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        raise OSError(5, "Input/output error")


def test_after_a_folder_came_to_lie_on_another_file_system_moves_are_asked_about(output: Output) -> None:
    output.file("sea/a.jpg")
    output.look()
    output.disk.move("sea/a.jpg", "forest/a.jpg")
    real = output.disk.tree

    def remounted(before: Tree, now_s: float) -> Tree:
        return replace(real(before, now_s), is_remounted=True)

    output.disk.tree = remounted  # type: ignore[method-assign]
    assert [one.why for one in output.look().questions] == [Why.INTERRUPTED]
