"""`phototriage refile`: what is filed already moves to where the model in use would file it, and can be taken back."""

import os
import sqlite3
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from contract.learned import Learned
from daemon.files.identity import Identity
from daemon.labels.contents import OutputContents
from daemon.labels.looker import Looker
from daemon.ledger.intent import Intent
from daemon.ledger.labels.events import events
from daemon.ledger.movers import Mover
from daemon.ledger.state_folder import LEDGER, state_folder
from daemon.photo import Judgement, Outcome
from daemon.refile.choose import choose
from tests.colour_model import FAMILIAR, colour_model
from tests.daemon.house import ask, told
from tests.daemon.support import digest, model_file, opened_ledger, plain, roots, run, tree, unique, write

SWAPPED = colour_model(("green", "red", "blue"))
"""Takes red for green and green for red."""
NEARLY = "rgb(150,145,0)"
"""Red with 0.56, green with 0.44."""
NOT_SURE = "rgb(170,140,0)"
"""Red with 0.80."""


class House:
    """An inbox that a model sorted, and another model that serves from now on."""

    def __init__(self, folder: Path, *options: str, layout: str = "{label}/{relpath}/{name}") -> None:
        self.folder = folder
        self.inbox, self.output = roots(folder)
        self.ledger = state_folder(self.inbox) / LEDGER
        words: list[str | Path] = ["--inbox", self.inbox, "--output", self.output, "--layout", layout, *options]
        self.words = [*words, "--model", model_file(folder)]

    def sort(self, photos: Mapping[str, str] | None = None) -> None:
        for name, colour in (photos or {}).items():
            write(self.inbox / name, unique(colour, hash(name) % 10**9), mtime_s=1e9)
        done = run("sort", *self.words)
        assert done.returncode == 0, done.stderr

    def serve(self, data: bytes = SWAPPED) -> None:
        assert ask("model", "use", write(self.folder / "other.onnx", data)).exit_code == 0

    def refile(self, *words: str, code: int = 0) -> dict[str, Any]:
        """Return the summary; the photos that moved or stayed are its `photos`, by name."""
        *photos, summary = told("refile", *words, code=code)
        return summary | {"photos": {Path(one["path"]).name: one for one in photos}}

    def places(self) -> dict[str, str]:
        """Return the folder of each photo in the output, by its name."""
        return {Path(name).name: str(Path(name).parent) for name in tree(self.output)}

    def rows(self, query: str, *values: object) -> list[Any]:
        with closing(sqlite3.connect(self.ledger)) as connection:
            return connection.execute(query, values).fetchall()

    def check_totals(self) -> None:
        """Hold that the kept counts are those of the rows in force."""
        query = "SELECT state, label, photos FROM totals WHERE state IN ('filed', 'review') AND photos > 0"
        kept = {(state, label): photos for state, label, photos in self.rows(query)}
        rows = [row for row in told("history", "--limit", "1000") if row["state"] in ("filed", "review")]
        assert kept == Counter((row["state"], row["known_as"] or row["label"]) for row in rows if not row["taken_back"])

    def look_twice(self) -> None:
        looker = Looker(self.ledger, OutputContents(self.output), left_out=[self.inbox])
        for later_s in (60.0, 120.0):
            looker.look(time.time() + later_s)

    def labels(self) -> list[tuple[str, str]]:
        with closing(sqlite3.connect(self.ledger)) as connection:
            return [(one.event.place, one.event.said) for one in events(connection)]


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


SIX = {f"{colour}{number}.jpg": colour for number, colour in enumerate(("red", "green", "blue") * 2)}
WHERE = {name: name[:-5] for name in SIX}
OTHER_WAY = {name: {"red": "green", "green": "red"}.get(folder, folder) for name, folder in WHERE.items()}


def test_what_the_model_in_use_files_elsewhere_moves_as_one_batch_and_undo_takes_it_back(house: House) -> None:
    house.sort(SIX)
    before = tree(house.output)
    house.serve()
    done = house.refile("--all")
    assert house.places() == OTHER_WAY
    assert (done["moved"], done["stayed"], done["filed"], done["judged"]) == (4, 0, 6, 6)
    rows = [row for row in told("history", "--limit", "99") if row["refiles"]]
    assert {(row["batch"], row["state"], row["taken_back"]) for row in rows} == {(done["batch"], "filed", False)}
    assert {row["model"] for row in rows} == {digest(SWAPPED)}
    house.check_totals()
    assert house.refile("--all")["moved"] == 0
    back = ask("undo", "--batch", str(done["batch"]))
    assert back.stderr == "4 photos went back to the former class.\n"
    assert tree(house.output) == before
    house.check_totals()
    assert ask("undo", "--last", "99").stderr == "6 photos went back to the inbox.\n"
    assert set(tree(house.inbox)) == set(SIX)


def test_a_dry_run_says_the_same_and_touches_nothing(house: House) -> None:
    house.sort(SIX)
    house.serve()
    before = [(path, path.lstat().st_mtime_ns) for path in sorted(house.folder.rglob("*"))]
    ledger = house.ledger.read_bytes()
    done = house.refile("--dry-run")
    assert {name: one["folder"] for name, one in done["photos"].items()} == {
        name: folder for name, folder in OTHER_WAY.items() if folder != "blue"
    }
    assert done["batch"] is None
    assert [(path, path.lstat().st_mtime_ns) for path in sorted(house.folder.rglob("*"))] == before
    assert house.ledger.read_bytes() == ledger


def test_more_than_one_in_twenty_moves_only_if_all_is_asked_for(house: House) -> None:
    house.sort({f"{number}.jpg": "blue" for number in range(19)} | {"red.jpg": "red"})
    house.serve()
    assert house.refile()["moved"] == 1
    house.sort({"a.jpg": "red", "b.jpg": "blue"})  # by the model that serves now
    house.serve(colour_model())
    (house.output / "green/a.jpg").rename(house.output / "green/renamed.jpg")  # and does not count
    assert house.refile()["moved"] == 1
    house.serve()
    for name in ("c.jpg", "d.jpg"):
        house.sort({name: "red"})
    house.serve(colour_model())
    result = ask("refile")
    assert result.exit_code == 1
    assert "The model would move 2 of 24 photos" in result.stderr
    assert "Nothing was moved" in result.stderr
    assert {house.places()[name] for name in ("c.jpg", "d.jpg")} == {"green"}


def test_what_a_person_moved_renamed_edited_or_took_away_stays(house: House) -> None:
    house.sort({f"red{number}.jpg": "red" for number in range(6)})
    house.serve()
    red = house.output / "red"
    (house.output / "blue").mkdir()
    (red / "red0.jpg").rename(house.output / "blue/red0.jpg")
    (red / "red1.jpg").rename(red / "mine.jpg")
    (red / "sub").mkdir()
    (red / "red2.jpg").rename(red / "sub/red2.jpg")
    write(red / "red3.jpg", plain("blue"))
    (red / "red4.jpg").unlink()
    done = house.refile("--all")
    assert house.places() == {
        "red0.jpg": "blue", "mine.jpg": "red", "red2.jpg": "red/sub", "red3.jpg": "red", "red5.jpg": "green",
    }  # fmt: skip
    assert (done["moved"], done["moved_by_people"], done["not_read"]) == (1, 3, 2)


def test_a_photo_that_people_labelled_where_it_lies_goes_there_whatever_the_model_says(house: House) -> None:
    house.sort(SIX)
    house.serve(colour_model(gain=13.0))
    assert ask("labels", "add", "--class", "blue", str(house.output / "red/red0.jpg")).exit_code == 0
    done = house.refile()
    assert house.places() == WHERE | {"red0.jpg": "blue"}
    assert done["photos"]["red0.jpg"]["said"] == "blue"
    assert [one["said"] for one in told("history") if one["place"] and one["place"].endswith("red0.jpg")] == ["blue"]
    house.check_totals()
    assert ask("undo", "--batch", str(done["batch"])).exit_code == 0
    assert house.places() == WHERE
    house.look_twice()
    assert [one["said"] for one in told("history") if one["place"] and one["place"].endswith("red0.jpg")] == ["blue"]


def test_only_a_class_that_is_clearly_more_probable_takes_a_photo(house: House) -> None:
    house.sort({"nearly.jpg": NEARLY, "red.jpg": "red"})
    house.serve()
    house.refile("--all")
    assert house.places() == {"nearly.jpg": "red", "red.jpg": "green"}


def test_a_photo_leaves_review_for_a_model_that_is_sure_by_the_rules_of_the_daemon(tmp_path: Path) -> None:
    house = House(tmp_path, "--review-below", "0.9")
    house.sort({"a.jpg": NOT_SURE, "b.jpg": NEARLY})
    assert set(house.places().values()) == {"_review"}
    house.serve(colour_model(gain=60.0))
    done = house.refile("--all")
    assert house.places() == {"a.jpg": "red", "b.jpg": "_review"}
    house.check_totals()
    ask("undo", "--batch", str(done["batch"]))
    assert set(house.places().values()) == {"_review"}
    house.check_totals()


def test_an_unfamiliar_photo_does_not_move(house: House) -> None:
    house.sort({"red.jpg": "red", "odd.jpg": "rgb(140,90,90)"})
    house.serve(colour_model(("green", "red", "blue"), familiarity=FAMILIAR))
    house.refile("--all")
    assert house.places() == {"red.jpg": "green", "odd.jpg": "red"}


def test_companions_go_along_and_get_the_number_of_their_photo(house: House) -> None:
    write(house.inbox / "a.xmp", b"<xmp/>", mtime_s=1e9)
    write(house.inbox / "a.jpg.pp3", b"pp3", mtime_s=1e9)
    house.sort({"a.jpg": "red"})
    house.serve()
    (house.output / "green").mkdir()
    write(house.output / "green/a.jpg", b"somebody else's")
    write(house.output / "red/a.xmp", b"<xmp>edited</xmp>")
    done = house.refile("--all")
    there = tree(house.output)
    assert there.pop("green/a.jpg") == b"somebody else's"
    assert set(there) == {"green/a-1.jpg", "green/a-1.xmp", "green/a-1.jpg.pp3"}
    assert there["green/a-1.xmp"] == b"<xmp>edited</xmp>"
    ask("undo", "--batch", str(done["batch"]))
    assert set(tree(house.output)) == {"green/a.jpg", "red/a.jpg", "red/a.xmp", "red/a.jpg.pp3"}
    ask("undo", "--last", "1")
    assert set(tree(house.inbox)) == {"a.jpg", "a.xmp", "a.jpg.pp3"}


def test_a_companion_that_comes_later_goes_to_the_refiled_photo_and_back_with_it(house: House) -> None:
    house.sort({"a.jpg": "red"})
    house.serve()
    done = house.refile("--all")
    write(house.inbox / "a.xmp", b"<xmp/>")
    house.sort()
    assert set(tree(house.output)) == {"green/a.jpg", "green/a.xmp"}
    ask("undo", "--batch", str(done["batch"]))
    assert set(tree(house.output)) == {"red/a.jpg", "red/a.xmp"}


def test_an_edited_sidecar_replaces_the_one_that_was_refiled_with_its_photo(house: House) -> None:
    write(house.inbox / "a.xmp", b"<xmp/>", mtime_s=1e9)
    house.sort({"a.jpg": "red"})
    house.serve()
    house.refile("--all")
    write(house.inbox / "a.xmp", b"<xmp>edited</xmp>")
    house.sort()
    there = {name: data for name, data in tree(house.output).items() if not Path(name).name.startswith(".")}
    assert there["green/a.xmp"] == b"<xmp>edited</xmp>"
    assert set(there) == {"green/a.jpg", "green/a.xmp"}


def test_the_layout_is_kept(tmp_path: Path) -> None:
    house = House(tmp_path, "--recursive", layout="{label}/{date:%Y}/{relpath}/{name}")
    (house.inbox / "trip").mkdir()
    house.sort({"trip/a.jpg": "red"})
    house.serve()
    house.refile("--all")
    assert house.places() == {"a.jpg": "green/2001/trip"}


@pytest.mark.parametrize("mode", ["copy", "hardlink"])
def test_filed_copies_and_links_move_and_undo_removes_them_at_the_end(tmp_path: Path, mode: str) -> None:
    house = House(tmp_path, "--mode", mode)
    house.sort({"a.jpg": "red"})
    house.serve()
    house.refile("--all")
    assert house.places() == {"a.jpg": "green"}
    house.sort()  # the original is held
    assert house.places() == {"a.jpg": "green"}
    for _ in range(2):
        assert ask("undo", "--last", "1").exit_code == 0
    assert (tree(house.output), set(tree(house.inbox))) == ({}, {"a.jpg"})


def test_symbolic_links_are_left_alone_and_counted(tmp_path: Path) -> None:
    house = House(tmp_path, "--mode", "symlink")
    house.sort({"a.jpg": "red"})
    house.serve()
    assert house.refile("--all")["links"] == 1
    assert (house.output / "red/a.jpg").is_symlink()


def test_undo_leaves_what_a_person_corrected_after_the_refiling(house: House) -> None:
    house.sort(SIX)
    house.serve()
    done = house.refile("--all")
    (house.output / "green/red0.jpg").rename(house.output / "blue/red0.jpg")
    house.look_twice()
    assert house.labels() == [("blue/red0.jpg", "blue")]
    steps = {Path(one["path"]).name: one for one in told("undo", "--batch", str(done["batch"]), code=1)}
    assert "its owner moved it since" in steps["red0.jpg"]["reason"]
    assert house.places() == WHERE | {"red0.jpg": "blue"}


def test_looks_take_neither_a_refiling_nor_its_undo_for_what_a_person_did(house: House) -> None:
    house.sort(SIX)
    house.look_twice()
    house.serve()
    done = house.refile("--all")
    house.look_twice()
    ask("undo", "--batch", str(done["batch"]))
    house.look_twice()
    assert house.labels() == []
    assert house.rows("SELECT count(*) FROM places WHERE is_gone") == [(0,)]
    (house.output / "red/red0.jpg").rename(house.output / "blue/red0.jpg")
    house.look_twice()
    assert house.labels() == [("blue/red0.jpg", "blue")]


def test_photos_of_a_renamed_class_follow_it_and_those_of_a_retired_one_go_where_the_model_is_sure(
    house: House,
) -> None:
    house.sort(SIX)
    learned = Learned("ab" * 32, 3, "2026-11-30T12:00:00+00:00", "open", renamed={"red": "rouge", "green": ""})
    house.serve(colour_model(("rouge", "bleu", "blue"), learned=learned))
    house.refile("--all")
    assert house.places() == WHERE | {name: "rouge" for name in SIX if "red" in name} | {
        name: "bleu" for name in SIX if "green" in name
    }


def test_a_rollback_names_the_batch_to_undo(house: House) -> None:
    house.sort(SIX)
    house.serve()
    done = house.refile("--all")
    result = ask("model", "rollback")
    assert f"4 photos of batch {done['batch']} were refiled by another model" in result.stderr
    assert f"phototriage undo --batch {done['batch']}" in result.stderr


def test_what_a_kill_interrupted_is_settled_by_the_next_start(house: House) -> None:
    house.sort(SIX)
    moved, left = house.output / "red/red0.jpg", house.output / "red/red3.jpg"
    (house.output / "green").mkdir(exist_ok=True)
    with opened_ledger(house.ledger) as ledger:
        for path in (moved, left):
            ((row, sha256),) = house.rows("SELECT id, sha256 FROM photos WHERE destination = ?", os.fsencode(path))
            target = house.output / "green" / path.name
            ledger.intend(
                [Intent(Outcome.FILED, path, target, Identity.of(path.lstat()), sha256, label="green",
                        refiles=row, mover=Mover.REFILE)], 5.0)  # fmt: skip
    moved.rename(house.output / "green/red0.jpg")
    house.sort()
    rows = {Path(row["destination"]).name: row for row in told("history", "--limit", "99") if row["refiles"]}
    assert {name: row["state"] for name, row in rows.items()} == {"red0.jpg": "filed"}
    assert house.places() == WHERE | {"red0.jpg": "green"}
    house.check_totals()


def test_a_second_refile_at_the_same_time_is_refused(house: House) -> None:
    from daemon.ledger.movers import mover_lock

    house.sort(SIX)
    house.serve()
    with mover_lock(house.ledger.parent, Mover.REFILE):
        result = ask("refile", "--all")
    assert result.exit_code == 1
    assert "Another process refiles photos" in result.output
    assert house.places() == WHERE


def test_batches_have_numbers_of_their_own_while_a_daemon_files_between_two_commits_of_a_refiling(
    house: House,
) -> None:
    house.sort(SIX)
    with opened_ledger(house.ledger) as ledger, opened_ledger(house.ledger) as daemon:
        batch = ledger.new_batch()
        one = Intent(Outcome.FILED, Path("/a"), Path("/b"), Identity(1, 2, 3, 4), "00", refiles=1)
        ledger.intend([one], 1.0, batch)
        daemon.intend([one], 1.0)
        ledger.intend([one], 1.0, batch)
        daemon.intend([one], 1.0)
    found = [number for (number,) in house.rows("SELECT batch FROM photos ORDER BY id DESC LIMIT 4")]
    assert found == [batch + 2, batch, batch + 1, batch]


def judgement(folder: str, probability: float, outcome: Outcome = Outcome.FILED, **more: Any) -> Judgement:
    top = {folder: probability} | more.pop("top", {})
    return Judgement(outcome, folder, label=folder, probability=probability, top=top, **more)


def test_of_a_class_that_is_not_among_the_most_probable_the_most_that_it_may_have_counts() -> None:
    surely = judgement("a", 0.35, top={"b": 0.25, "c": 0.2, "d": 0.1, "e": 0.05})
    assert choose(surely, "z", 6) == surely
    hardly = judgement("a", 0.25, top={"b": 0.2, "c": 0.2, "d": 0.2, "e": 0.1})
    assert choose(hardly, "z", 6) is None
    assert choose(hardly, "z", 5) == hardly  # all classes are among them, and z is none of the model's
