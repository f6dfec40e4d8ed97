"""A class folder that its owner renamed, and said so: new photos go there, and it is still that class."""

from pathlib import Path

import pytest

from tests.daemon.house import ask, told
from tests.daemon.support import run, unique, write
from tests.daemon.test_refile import SIX, WHERE, House


@pytest.fixture
def house(tmp_path: Path) -> House:
    one = House(tmp_path)
    one.sort(SIX)
    one.look_twice()
    return one


def rename(house: House, old: str, new: str, reply: str = "renamed") -> None:
    """Rename a folder of the output, and answer the question about it."""
    (house.output / old).rename(house.output / new)
    (question,) = [one for one in told("labels") if one["what"] == "question"]
    assert ask("labels", "answer", str(question["number"]), reply).exit_code == 0


def test_new_photos_go_to_the_folder_that_was_renamed_and_it_is_still_that_class(house: House) -> None:
    rename(house, "red", "rot")
    house.sort({"new.jpg": "red"})
    there = house.places()
    assert {there[name] for name in ("new.jpg", "red0.jpg", "red3.jpg")} == {"rot"}
    assert not (house.output / "red").exists()
    house.look_twice()
    rows = {Path(row["place"]).name: row for row in told("history", "--label", "red")}
    assert set(rows) == {"new.jpg", "red0.jpg", "red3.jpg"}
    assert {row["folder"] for row in rows.values()} == {"red"}
    (house.output / "green/green1.jpg").rename(house.output / "rot/green1.jpg")
    house.look_twice()
    assert house.labels() == [("rot/green1.jpg", "red")]


def test_renamed_back_it_is_as_before(house: House) -> None:
    rename(house, "red", "rot")
    (house.output / "rot").rename(house.output / "red")  # that is no question: it is the class's own name
    house.look_twice()
    house.sort({"new.jpg": "red"})
    assert house.places() == WHERE | {"new.jpg": "red"}
    assert house.rows("SELECT count(*) FROM class_folders") == [(0,)]


@pytest.mark.parametrize(
    ("old", "new", "reply"),
    [("red", "rot", "ignore"), ("red/sub", "red/other", "renamed"), ("red/sub", "green/sub", "renamed")],
)
def test_other_answers_and_other_folders_rename_no_class(house: House, old: str, new: str, reply: str) -> None:
    (house.output / "red/sub").mkdir()
    for name in ("red0.jpg", "red3.jpg"):
        (house.output / "red" / name).rename(house.output / "red/sub" / name)
    house.look_twice()
    (house.output / old).rename(house.output / new)
    for question in [one for one in told("labels") if one["what"] == "question"]:
        ask("labels", "answer", str(question["number"]), reply)
    assert house.rows("SELECT count(*) FROM class_folders") == [(0,)]
    house.sort({"new.jpg": "red"})
    assert house.places()["new.jpg"] == "red"


def test_refile_and_a_dry_run_know_the_folder(house: House) -> None:
    rename(house, "red", "rot")
    house.serve()  # takes green for red
    write(house.inbox / "later.jpg", unique("green", 77), mtime_s=1e9)
    assert "later.jpg -> rot" in run("sort", *house.words, "--dry-run").stdout
    house.refile("--all")
    there = house.places()
    assert {name: there[name] for name in ("green1.jpg", "green4.jpg")} == {"green1.jpg": "rot", "green4.jpg": "rot"}
    assert there["red0.jpg"] == "rot"  # its owner moved it, with its folder


def test_layouts_keep_what_stands_around_the_class(tmp_path: Path) -> None:
    house = House(tmp_path, layout="photos/{label}/{date:%Y}/{name}")
    house.sort({"a.jpg": "red", "b.jpg": "green"})
    house.look_twice()
    rename(house, "photos/red", "photos/rot")
    house.sort({"c.jpg": "red"})
    assert house.places() == {"a.jpg": "photos/rot/2001", "b.jpg": "photos/green/2001", "c.jpg": "photos/rot/2001"}
