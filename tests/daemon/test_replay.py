"""`phototriage replay`: what another model would file differently, and that nothing is touched by asking."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from contract.labels import OTHER
from daemon.ledger.state_folder import LEDGER, state_folder
from daemon.words.word import Known
from tests.colour_model import colour_model
from tests.daemon.house import ask, place_row
from tests.daemon.support import daemon, model_file, opened_ledger, plain, roots, run, unique, wait_until, write
from tests.daemon.swap import NEW, load, rows

SWAPPED = colour_model(("green", "red", "blue"))
"""Takes red for green and green for red."""


def everything(*folders: Path) -> dict[str, tuple[str, int, int]]:
    """Say what lies below folders: content, inode and time of change of each file, by path."""
    found = {}
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            status = path.lstat()
            content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
            found[str(path)] = (content, status.st_ino, status.st_mtime_ns)
    return found


class House:
    """Six photos, two of each colour, sorted by one model."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.inbox, self.output = roots(folder)
        self.state = state_folder(self.inbox)
        self.words: list[str | Path] = ["--inbox", self.inbox, "--output", self.output, "--model", model_file(folder)]
        for number, colour in enumerate(("red", "green", "blue") * 2):
            write(self.inbox / f"{colour}{number}.jpg", unique(colour, number), mtime_s=1.0)
        assert run("sort", *self.words, *options).returncode == 0

    def replay(self, data: bytes, *words: str | Path) -> list[dict[str, Any]]:
        result = ask("replay", "--model", write(self.folder / "other.onnx", data), "--json", *words)
        assert result.exit_code == 0, result.output
        return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def sums(told: list[dict[str, Any]]) -> dict[str, int]:
    return {name: count for name, count in told[-1].items() if name not in ("event", "model") and count}


def test_what_another_model_would_file_differently_is_told_and_nothing_is_touched(house: House) -> None:
    before = everything(house.inbox, house.output, house.state)
    told = house.replay(SWAPPED)
    assert everything(house.inbox, house.output, house.state) == before
    assert sums(told) == {"same": 2, "different": 4}
    changes = [photo for photo in told if photo.get("now") == "different"]
    moves = {(photo["was"]["folder"], photo["would_be"]["folder"]) for photo in changes}
    assert moves == {("red", "green"), ("green", "red")}
    assert all(photo["would_be"]["probability"] > 0.9 for photo in told[:-1])
    assert {Path(photo["path"]).parent.parent for photo in told[:-1]} == {house.output}


def test_the_same_model_would_file_all_of_them_the_same(house: House) -> None:
    assert sums(house.replay(colour_model())) == {"same": 6}


def test_a_person_reads_counts_a_table_and_the_photos_that_change(house: House) -> None:
    result = ask("replay", "--model", write(house.folder / "other.onnx", SWAPPED), "--show", "3")
    assert result.exit_code == 0
    assert "would file 4 of 6 photos differently, 66.7 %. Nothing was touched." in result.stdout
    words = result.stdout.split()
    assert [words[at + 2] for at, word in enumerate(words) if words[at : at + 2] == ["red", "green"]] == ["2"]
    assert "1 more; --show 4 lists all" in result.stdout


def test_photos_that_are_gone_or_changed_since_are_counted_and_left_out(house: House) -> None:
    red, green, *_ = (house.output / name for name in ("red/red0.jpg", "green/green1.jpg"))
    red.unlink()
    green.write_bytes(plain("blue"))
    (house.output / "blue/blue2.jpg").rename(house.folder / "taken.jpg")
    (house.output / "blue/blue2.jpg").mkdir()
    assert sums(house.replay(SWAPPED)) == {"same": 1, "different": 2, "gone": 2, "changed": 1}


def test_a_photo_that_was_restored_with_the_same_content_counts(house: House) -> None:
    red = house.output / "red/red0.jpg"
    data = red.read_bytes()
    red.unlink()
    write(red, data)
    assert sums(house.replay(SWAPPED)) == {"same": 2, "different": 4}


def corrected(house: House, name: str, said: str) -> None:
    """Move a photo to another class as its owner does, and let a look see it."""
    (filed,) = house.output.glob(f"*/{name}")
    now = house.output / said / name
    now.parent.mkdir(exist_ok=True)
    filed.rename(now)
    with opened_ledger(house.state / LEDGER) as ledger:
        place_row(ledger._connection, house.output, filed, now, said)


def test_corrected_photos_are_read_where_they_are_and_compared_with_what_people_said(house: House) -> None:
    for name, said in {"red0.jpg": "green", "green1.jpg": "blue", "blue2.jpg": "meadow"}.items():
        corrected(house, name, said)
    with opened_ledger(house.state / LEDGER) as ledger:  # people said what it was filed as
        blue = house.output / "blue" / "blue5.jpg"
        place_row(ledger._connection, house.output, blue, blue, "blue")
    told = house.replay(SWAPPED)
    assert sums(told) == {"same": 2, "different": 4, "corrected": 4, "corrected_agree": 2, "corrected_agreed_before": 1}
    (red,) = [photo for photo in told if photo.get("path") == str(house.output / "green" / "red0.jpg")]
    assert (red["was"]["folder"], red["would_be"]["folder"], red["said"]) == ("red", "green", "green")
    result = ask("replay", "--model", house.folder / "other.onnx")
    assert "4 corrected photos: other.onnx agrees with 2, what filed them agreed with 1.\n" in result.stdout
    assert "red 1.00, said green" in result.stdout
    with opened_ledger(house.state / LEDGER) as ledger:
        place_row(ledger._connection, house.output, blue, blue, OTHER)  # of no class: it belongs into review
    strict = sums(house.replay(SWAPPED, "--review-below", "1.0"))
    assert (strict["corrected"], strict["corrected_agree"]) == (4, 1)


def test_a_photo_whose_folder_people_chose_is_compared_with_what_the_model_alone_would_have_done(house: House) -> None:
    change = "UPDATE photos SET reason = ?, threshold = ?, destination = ? WHERE destination = ?"
    with opened_ledger(house.state / LEDGER) as ledger:
        for colour, name, threshold in (("red", "red0.jpg", 1.1), ("green", "green1.jpg", 0.0)):
            filed, now = house.output / colour / name, house.output / "blue" / name
            filed.rename(now)
            values = (str(Known("blue")), threshold, os.fsencode(now), os.fsencode(filed))
            ledger._connection.execute(change, values)
    told = house.replay(colour_model())
    was = {Path(photo["path"]).name: (photo["was"]["folder"], photo["now"]) for photo in told[:-1]}
    assert (was["red0.jpg"], was["green1.jpg"]) == (("_review", "different"), ("green", "same"))


def test_only_the_youngest_or_those_since_a_time_are_looked_at(house: House) -> None:
    assert sum(sums(house.replay(SWAPPED, "--limit", "2")).values()) == 2
    assert sums(house.replay(SWAPPED, "--since", "2999-01-01")) == {}
    assert sum(sums(house.replay(SWAPPED, "--since", "1h")).values()) == 6


def test_thresholds_are_those_of_the_other_model_and_review_is_a_place_of_its_own(tmp_path: Path) -> None:
    house = House(tmp_path, "--review-below", "1.0")
    assert not (house.output / "red").exists()
    assert sums(house.replay(SWAPPED)) == {"different": 6}
    assert sums(house.replay(SWAPPED, "--review-below", "1.0")) == {"same": 6}
    strict = colour_model(thresholds={"red": 1.0})
    assert sums(house.replay(strict, "--review-below", "auto")) == {"same": 2, "different": 4}


@pytest.mark.parametrize("mode", ["copy", "hardlink", "symlink"])
def test_copies_and_links_are_read_too(tmp_path: Path, mode: str) -> None:
    assert sums(House(tmp_path, "--mode", mode).replay(SWAPPED)) == {"same": 2, "different": 4}


def test_photos_that_were_taken_back_are_left_out(house: House) -> None:
    assert ask("undo", "--inbox", house.inbox, "--label", "red").exit_code == 0
    assert sums(house.replay(SWAPPED)) == {"same": 2, "different": 2}


def test_a_daemon_at_work_is_not_disturbed(tmp_path: Path) -> None:
    house = House(tmp_path)
    with daemon(*house.words) as process:
        process.ready()
        with load(house.inbox, 20) as names:
            wait_until(lambda: sum(row["state"] == "filed" for row in rows(house.inbox)) > 50, "photos that are filed")
            told = house.replay(NEW, "--limit", "40")
        assert sums(told) == {"different": 40}
        wait_until(lambda: len(os.listdir(house.inbox)) == 1, "all filed")  # noqa: PTH208
        assert process.stop() == 0
    assert len(list(house.output.rglob("*.jpg"))) == 6 + len(names)


def test_a_model_that_breaks_its_contract_is_refused_before_any_photo_is_read(house: House) -> None:
    result = ask("replay", "--model", write(house.folder / "broken.onnx", NEW[:-9]))
    assert (result.exit_code, result.stdout) == (1, "")
