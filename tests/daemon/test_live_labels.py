"""What people say by moving files while the real daemon runs, or between two calls of `sort`."""

import json
import re
import sqlite3
from contextlib import closing
from functools import partial
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageOps

from contract.labels import side_of
from daemon.labels.looker import last_look_s
from daemon.ledger.since.label_totals import LabelTotals
from daemon.ledger.state_folder import LEDGER
from daemon.status.client import fetch
from tests.colour_model import FAMILIAR, colour_model
from tests.daemon.house import ask, told
from tests.daemon.support import (
    IMPATIENT,
    daemon,
    encoded,
    environment,
    model_file,
    plain,
    roots,
    run,
    unique,
    wait_until,
    write,
)


@pytest.fixture
def impatient(tmp_path: Path) -> dict[str, str]:
    """An environment in which looks follow each other at once."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(IMPATIENT)
    state = tmp_path / "state"
    return {"PYTHONPATH": f"{folder}:{environment()['PYTHONPATH']}", "STATE_DIRECTORY": str(state)}


def _arguments(folder: Path) -> tuple[str | Path, ...]:
    inbox, output = roots(folder)
    return "--inbox", inbox, "--output", output, "--model", model_file(folder), "--unfamiliar", "file"


def test_a_photo_that_its_owner_moved_goes_there_when_it_comes_again(tmp_path: Path, impatient: dict[str, str]) -> None:
    arguments = _arguments(tmp_path)
    inbox, output = tmp_path / "inbox", tmp_path / "output"
    write(inbox / "a.jpg", plain("red"))
    with daemon(*arguments, env=impatient) as process:
        process.photos({"a.jpg"})
        (output / "blue").mkdir()
        (output / "red/a.jpg").rename(output / "blue/a.jpg")
        label = process.until(lambda event: event["event"] == "label", "the label")
        assert (label["place"], label["shown"], label["said"]) == ("blue/a.jpg", "red", "blue")
        write(inbox / "again.jpg", plain("red"))
        photo = process.photos({"again.jpg"})["again.jpg"]
        assert Path(photo["destination"]) == output / "blue/again.jpg"
        assert photo["label"] == "red"
        assert photo["reason"].startswith("known: a person put this very photo under blue")
        assert process.stop() == 0
    assert {path.name for path in (output / "blue").iterdir()} == {"a.jpg", "again.jpg"}


def test_every_question_about_a_photo_that_its_owner_moved_tells_both_answers_and_undo_finds_it(
    tmp_path: Path, impatient: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = _arguments(tmp_path)
    inbox, output, state = tmp_path / "inbox", tmp_path / "output", tmp_path / "state"
    monkeypatch.setenv("STATE_DIRECTORY", str(state))
    write(inbox / "a.jpg", plain("red"))
    with daemon(*arguments, env=impatient) as process:
        process.photos({"a.jpg"})
        (output / "blue").mkdir()
        (output / "red/a.jpg").rename(output / "blue/mine.jpg")
        process.until(lambda event: event["event"] == "label", "the label")
        wait_until(lambda: (fetch(state).labels or LabelTotals()).classes == {"blue": 1}, "the count")
        (row,) = told("history", "--said", "blue")
        assert (row["label"], row["folder"], row["place"]) == ("red", "blue", str(output / "blue/mine.jpg"))
        assert told("history", "--label", "red") == []
        assert "  labels      1: blue 1; last look " in ask("status").stdout
        (back,) = told("undo", "--label", "blue")
        assert (back["path"], back["destination"]) == (str(output / "blue/mine.jpg"), str(inbox / "a.jpg"))
        assert process.stop() == 0
    (inbox / "a.jpg").rename(tmp_path / "kept.jpg")
    (was, undone) = told("explain", tmp_path / "kept.jpg")
    assert [event["said"] for event in was["events"]] == ["blue"]
    assert undone["events"] == []


def test_a_command_speaks_while_the_daemon_runs_and_is_heard_at_once(
    tmp_path: Path, impatient: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = _arguments(tmp_path)
    inbox, output, state = tmp_path / "inbox", tmp_path / "output", tmp_path / "state"
    monkeypatch.setenv("STATE_DIRECTORY", str(state))
    write(inbox / "a.jpg", plain("red"))
    with daemon(*arguments, env=impatient) as process:
        process.photos({"a.jpg"})
        for words, folder, classes in (
            (("add", "--class", "blue"), "blue", {"blue": 1}),
            (("take-back",), "red", {}),
            (("add", "--class", "blue"), "blue", {"blue": 1}),
            (("forget",), "red", {}),
        ):
            said = ask("labels", *words, output / "red/a.jpg")
            assert said.exit_code == 0, said.output
            wait_until(lambda: (fetch(state).labels or LabelTotals()).classes == classes, "the count")  # noqa: B023
            name = f"after {words[0]} {folder}.jpg"
            write(inbox / name, plain("red"))
            photo = process.photos({name})[name]
            assert Path(photo["destination"]).parent == output / folder
            Path(photo["destination"]).unlink()
        assert process.stop() == 0


def test_what_was_said_before_counts_for_the_first_photo_also_where_no_look_has_been_done(
    tmp_path: Path, impatient: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = _arguments(tmp_path)
    inbox, output = tmp_path / "inbox", tmp_path / "output"
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    write(inbox / "a.jpg", plain("red"))
    assert run("sort", *arguments, env=impatient).returncode == 0
    assert ask("labels", "add", "--class", "blue", output / "red/a.jpg").exit_code == 0
    site = tmp_path / "site/sitecustomize.py"
    site.write_text(f"{site.read_text()}daemon.live_looks.LiveLooks.tick = lambda self: None\n")
    write(inbox / "again.jpg", plain("red"))
    assert run("sort", *arguments, env=impatient).returncode == 0
    assert (output / "blue/again.jpg").is_file()


def test_a_model_that_people_correct_more_often_than_the_one_before_is_said_once(
    tmp_path: Path, impatient: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = _arguments(tmp_path)
    inbox, output, state = tmp_path / "inbox", tmp_path / "output", tmp_path / "state"
    monkeypatch.setenv("STATE_DIRECTORY", str(state))
    for number in range(10):
        write(inbox / f"{number}.jpg", unique("red", number))
    assert run("sort", *arguments, env=impatient).returncode == 0
    (tmp_path / "colours.onnx").write_bytes(colour_model(gain=11.0))
    names = {f"later {number}.jpg" for number in range(10)}
    for number, name in enumerate(sorted(names)):
        write(inbox / name, unique("red", 100 + number))
    with daemon(*arguments, env=impatient) as process:
        process.photos(names)
        assert ask("labels", "add", "--class", "blue", *(output / "red" / name for name in names)).exit_code == 0
        wait_until(lambda: (fetch(state).labels or LabelTotals()).corrected == len(names), "the count")
        assert process.stop() == 0
    (said,) = [line for line in process.errors if "people correct this model more often" in line]
    # How many labels the daemon counts first depends on when it looks.
    assert re.search(r"\(\d+\.0 of 1,000 filed photos, 0\.0 before\)\. To go back: phototriage model rollback", said)


def test_sorting_again_learns_what_was_moved_in_between(tmp_path: Path, impatient: dict[str, str]) -> None:
    arguments = _arguments(tmp_path)
    inbox, output = tmp_path / "inbox", tmp_path / "output"
    write(inbox / "a.jpg", plain("red"))
    assert run("sort", *arguments, env=impatient).returncode == 0
    (output / "blue").mkdir()
    (output / "red/a.jpg").rename(output / "blue/a.jpg")
    for _ in range(2):
        assert run("sort", *arguments, env=impatient).returncode == 0
    write(inbox / "again.jpg", plain("red"))
    dry = run("sort", *arguments, "--dry-run", "--json", env=impatient)
    assert Path(json.loads(dry.stdout.splitlines()[0])["destination"]) == output / "blue/again.jpg"
    assert run("sort", *arguments, env=impatient).returncode == 0
    assert (output / "blue/again.jpg").is_file()


def test_the_daemon_makes_features_of_a_label_so_that_nearly_the_same_photo_is_known(
    tmp_path: Path, impatient: dict[str, str]
) -> None:
    arguments = _arguments(tmp_path)
    (tmp_path / "colours.onnx").write_bytes(colour_model(familiarity=FAMILIAR))
    write(tmp_path / "inbox/a.jpg", unique("red", 1))
    ledger = tmp_path / "state" / LEDGER
    with daemon(*arguments, env=impatient) as process:
        process.photos({"a.jpg"})
        (tmp_path / "output/blue").mkdir()
        (tmp_path / "output/red/a.jpg").rename(tmp_path / "output/blue/a.jpg")
        process.until(lambda event: event["event"] == "label", "the label")
        wait_until(lambda: bool(_labelled(ledger)), "features")
        assert process.stop() == 0
    founder = sha256(unique("red", 1)).hexdigest()
    assert _labelled(ledger) == [("blue", founder, side_of(founder), FAMILIAR.id)]


def test_a_command_that_looks_knows_a_photo_that_was_edited_and_moved_before(
    tmp_path: Path, impatient: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = _arguments(tmp_path)
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    (tmp_path / "colours.onnx").write_bytes(colour_model(familiarity=FAMILIAR))
    write(tmp_path / "inbox/a.jpg", unique("red", 1))
    with daemon(*arguments, env=impatient) as process:
        process.photos({"a.jpg"})
        assert process.stop() == 0
    (tmp_path / "output/blue").mkdir()
    (tmp_path / "output/red/a.jpg").unlink()
    write(tmp_path / "output/blue/a.jpg", unique("red", 12345))
    (seen,) = [one for one in told("labels") if one["what"] == "waiting"]
    assert (seen["place"], seen["shown"], seen["said"]) == ("blue/a.jpg", "red", "blue")


def _labelled(ledger: Path) -> list[tuple[str, str, str, str]]:
    with closing(sqlite3.connect(ledger)) as connection:
        columns = "said, founder, side, embedding_id"
        return connection.execute(f"SELECT {columns} FROM labelled WHERE embedding IS NOT NULL").fetchall()


def test_a_photo_that_was_saved_again_follows_its_original_once_the_daemon_has_the_features(
    tmp_path: Path, impatient: dict[str, str]
) -> None:
    arguments = _arguments(tmp_path)
    (tmp_path / "colours.onnx").write_bytes(colour_model(familiarity=FAMILIAR))
    taken = Image.Exif()
    taken.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2026:05:01 12:30:00"
    patches = np.random.default_rng(1).integers(0, 256, (7, 7, 3), np.uint8)
    photo = Image.fromarray(patches).resize((96, 96), Image.Resampling.BICUBIC)
    write(tmp_path / "inbox/a.jpg", encoded(photo, exif=taken))
    with daemon(*arguments, "--review-below", "1", env=impatient) as process:
        was = process.photos({"a.jpg"})["a.jpg"]
        (tmp_path / "output/trees").mkdir()
        Path(was["destination"]).rename(tmp_path / "output/trees/a.jpg")
        process.until(lambda event: event["event"] == "label", "the label")
        wait_until(lambda: bool(_labelled(tmp_path / "state" / LEDGER)), "features")
        for number in range(100):  # the first copies may come before the words are read again
            write(tmp_path / f"inbox/{number}.jpg", encoded(photo, exif=taken, quality=70) + b"%d" % number)
            copy = process.photos({f"{number}.jpg"})[f"{number}.jpg"]
            if copy["said"]:
                break
        assert (copy["reason"], copy["label"], copy["said"]) == (
            "known: nearly the same as trees/a.jpg, which a person put there", was["label"], "trees",
        )  # fmt: skip
        assert fetch(tmp_path / "state").known == 1
        assert Path(copy["destination"]) == tmp_path / f"output/trees/{number}.jpg"
        write(tmp_path / "inbox/mirrored.jpg", encoded(ImageOps.mirror(photo), exif=taken))
        other = process.photos({"mirrored.jpg"})["mirrored.jpg"]
        assert (other["outcome"], other["said"]) == ("review", None)
        assert process.stop() == 0


def test_a_tree_that_cannot_be_kept_is_said_once_and_labels_and_filing_go_on(
    tmp_path: Path, impatient: dict[str, str]
) -> None:
    arguments = _arguments(tmp_path)
    site = tmp_path / "site/sitecustomize.py"
    site.write_text(f"{site.read_text()}daemon.live_looks.ASK_EVERY_S = 0.01\n")  # it asks more often than it looks
    inbox, output, state = tmp_path / "inbox", tmp_path / "output", tmp_path / "state"
    (state / ".seen.part").mkdir(parents=True)  # in the way of the file
    write(inbox / "a.jpg", plain("red"))
    with daemon(*arguments, env=impatient) as process:
        process.photos({"a.jpg"})
        (output / "blue").mkdir()
        (output / "red/a.jpg").rename(output / "blue/a.jpg")
        process.until(lambda event: event["event"] == "label", "the label")
        for number in range(5):
            write(inbox / f"{number}.jpg", unique("red", number))
            process.photos({f"{number}.jpg"})
            wait_until(partial(_has_looked_since, state, last_look_s(state)), "another look")
        assert process.stop() == 0
    assert sum("cannot be kept" in line for line in process.errors) == 1


def _has_looked_since(state: Path, before_s: float | None) -> bool:
    return last_look_s(state) != before_s
