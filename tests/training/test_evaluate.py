"""Any model is measured the same way, on the photos that may be used for it, with or without TensorFlow."""

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from common.errors import PhototriageError
from tests.colour_model import FAMILIAR, colour_model
from training.measure.evaluate import evaluate_model
from training.measure.predictions import read_predictions, write_predictions
from training.measure.show import show
from training.progress import Reporter
from training.run import load_run

Make = Callable[..., Path]
RGB = {"red": (220, 20, 20), "green": (20, 220, 20), "blue": (20, 20, 220)}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model file that names colours."""
    file = tmp_path / "colours.onnx"
    file.write_bytes(colour_model())
    return file


@pytest.fixture
def colours(tmp_path: Path) -> Path:
    """Two photos of each colour, one of the red ones in the folder of the blue."""
    for label, colour in RGB.items():
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(2):
            Image.new("RGB", (40 + number, 30), colour).save(tmp_path / "photos" / label / f"{number}.png")
    (tmp_path / "photos" / "red" / "1.png").rename(tmp_path / "photos" / "blue" / "stranger.png")
    return tmp_path / "photos"


def test_a_model_file_is_measured_against_the_folders(model: Path, colours: Path, reporter: Reporter) -> None:
    found = evaluate_model(model, colours, None, reporter)
    assert found.metrics.photos == 6
    assert found.metrics.correct == 5
    assert found.metrics.confusion == ((1, 0, 0), (0, 2, 0), (1, 0, 2))


def test_figures_and_predictions_are_written(model: Path, colours: Path, tmp_path: Path, reporter: Reporter) -> None:
    (colours / "red" / "bad.jpg").write_text("no photo")
    evaluate_model(model, colours, tmp_path / "report", reporter)
    figures = json.loads((tmp_path / "report" / "metrics.json").read_text())
    assert figures["labels"] == ["red", "green", "blue"]
    assert figures["metrics"]["accuracy"] == pytest.approx(5 / 6)
    assert figures["unreadable"][0]["path"].endswith("bad.jpg")
    with (tmp_path / "report" / "predictions.csv").open(newline="") as lines:
        wrong = [row for row in csv.DictReader(lines) if row["true"] != row["predicted"]]
    assert [(row["path"], row["predicted"]) for row in wrong] == [("blue/stranger.png", "red")]


def test_a_pipe_that_is_called_a_photo_is_unreadable_and_holds_nothing_up(
    model: Path, colours: Path, reporter: Reporter
) -> None:
    os.mkfifo(colours / "red" / "pipe.jpg")
    found = evaluate_model(model, colours, None, reporter)
    assert found.metrics.photos == 6
    assert found.unreadable == ((colours / "red" / "pipe.jpg", "unreadable: it is not a plain file"),)


def test_a_test_folder_alone_counts(model: Path, colours: Path, tmp_path: Path, reporter: Reporter) -> None:
    (tmp_path / "dataset").mkdir()
    colours.rename(tmp_path / "dataset" / "test")
    for label in RGB:
        (tmp_path / "dataset" / "train" / label).mkdir(parents=True)
    Image.new("RGB", (40, 40), "red").save(tmp_path / "dataset" / "train" / "blue" / "never.png")
    assert evaluate_model(model, tmp_path / "dataset", None, reporter).metrics.photos == 6


def test_a_run_is_measured_on_what_it_held_out_of_its_own_dataset(
    trained: tuple[Path, Path], reporter: Reporter, story: io.StringIO
) -> None:
    dataset, folder = trained
    found = evaluate_model(folder, dataset, None, reporter)
    wanted = load_run(folder).metrics["validation"]
    assert found.metrics.photos == wanted["photos"]
    assert found.metrics.log_loss == pytest.approx(wanted["log_loss"], abs=1e-4)
    assert "held-out" in story.getvalue()


def test_a_run_of_an_earlier_version_which_does_not_say_what_it_learnt_is_measured_as_before(
    trained: tuple[Path, Path], tmp_path: Path, reporter: Reporter, story: io.StringIO
) -> None:
    dataset, folder = trained
    shutil.copytree(folder, tmp_path / "run")
    run = load_run(folder)
    now = read_predictions(folder / "predictions.csv", dataset, run.labels)
    write_predictions(tmp_path / "run" / "predictions.csv", replace(now, learnt=None), dataset, run.labels)
    assert evaluate_model(tmp_path / "run", dataset, None, reporter).predictions.photos == now.of("val").photos
    assert "held-out" in story.getvalue()
    manifest = tmp_path / "run" / "run.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"judged": "held out"}))
    assert "would flatter it" in refused(tmp_path / "run", dataset, None, reporter)


def test_the_network_file_of_a_run_stands_for_the_run(trained: tuple[Path, Path], reporter: Reporter) -> None:
    dataset, folder = trained
    found = evaluate_model(folder / "model.keras", dataset.parent / "test", None, reporter)
    wanted = load_run(folder).metrics["test"]
    assert found.metrics.correct == wanted["correct"]
    assert found.metrics.log_loss == pytest.approx(wanted["log_loss"], abs=1e-4)


def test_tables_show_classes_and_what_they_were_taken_for(
    model: Path, colours: Path, reporter: Reporter, story: io.StringIO
) -> None:
    (colours / "red" / "bad.jpg").write_text("no photo")
    show(evaluate_model(model, colours, None, reporter), reporter)
    text = story.getvalue()
    assert "0.8333" in text
    assert "1.000" in text
    assert "bad.jpg: not-a-photo" in text
    assert "Log loss" in text


def test_many_classes_show_the_worst_confusions_in_place_of_a_matrix(
    tmp_path: Path, reporter: Reporter, story: io.StringIO
) -> None:
    labels = (*RGB, *(f"other {number}" for number in range(12)))
    (tmp_path / "many.onnx").write_bytes(colour_model(labels))
    (tmp_path / "photos" / "green").mkdir(parents=True)
    Image.new("RGB", (40, 40), RGB["red"]).save(tmp_path / "photos" / "green" / "1.png")
    show(evaluate_model(tmp_path / "many.onnx", tmp_path / "photos", None, reporter), reporter)
    last = [line.split() for line in story.getvalue().splitlines() if "green" in line][-1]
    assert [word for word in last if word != "│"] == ["green", "red", "1"]


def refused(model: Path, dataset: Path, output: Path | None, reporter: Reporter) -> str:
    with pytest.raises(PhototriageError) as error:
        evaluate_model(model, dataset, output, reporter)
    return str(error.value)


def test_what_cannot_be_measured_is_refused_in_a_sentence(
    model: Path, colours: Path, tmp_path: Path, reporter: Reporter
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "odd.onnx").write_bytes(b"x")
    assert "is not a run folder" in refused(tmp_path / "empty", colours, None, reporter)
    assert "onnxruntime cannot open this model" in refused(tmp_path / "odd.onnx", colours, None, reporter)
    assert "no photos" in refused(model, tmp_path / "empty", None, reporter)
    assert "is not empty" in refused(model, colours, tmp_path, reporter)
    (colours / "stranger").mkdir()
    assert "that are not classes of the model: stranger" in refused(model, colours, None, reporter)
    (colours / "stranger").rmdir()
    for photo in colours.rglob("*.png"):
        photo.write_bytes(b"")
    assert "can be read" in refused(model, colours, None, reporter)


STRANGERS = {"purple": (160, 20, 160), "yellow": (150, 150, 0), "mustard": (190, 60, 0), "reds": (200, 10, 10)}
"""`FAMILIAR` keeps the last two; of mustard's class the model is unsure at a low gain."""


@pytest.fixture
def strangers(tmp_path: Path) -> Path:
    """Two pictures of each kind."""
    for kind, colour in STRANGERS.items():
        (tmp_path / "foreign" / kind).mkdir(parents=True)
        for number in range(2):
            Image.new("RGB", (40 + number, 30), colour).save(tmp_path / "foreign" / kind / f"{number}.png")
    return tmp_path / "foreign"


def with_familiarity(file: Path) -> Path:
    thresholds = dict.fromkeys(RGB, 0.97)
    file.write_bytes(colour_model(familiarity=FAMILIAR, gain=6.0, thresholds=thresholds))
    return file


def test_both_errors_of_familiarity_are_measured_with_their_intervals(
    model: Path, colours: Path, strangers: Path, reporter: Reporter
) -> None:
    Image.new("RGB", (40, 40), "grey").save(colours / "green" / "grey.png")
    (strangers / "purple" / "bad.jpg").write_text("no photo")
    found = evaluate_model(with_familiarity(model), colours, None, reporter, strangers).to_dict()
    review, foreign = found["unfamiliar"], found["foreign"]
    assert (review["threshold"], review["photos"], review["count"]) == (FAMILIAR.threshold, 7, 1)
    assert review["share"] == pytest.approx(1 / 7)
    assert review["interval"] == pytest.approx([0.0257, 0.5131], abs=1e-3)
    assert {item["label"]: item["count"] for item in review["classes"]} == {"red": 0, "green": 1, "blue": 0}
    filed = {item["kind"]: tuple(item["filed"][how]["count"] for how in ("off", "auto")) for item in foreign["kinds"]}
    assert filed == {"purple": (0, 0), "yellow": (0, 0), "mustard": (2, 0), "reds": (2, 2)}
    assert foreign["filed"]["off"]["share"] == 0.5
    assert foreign["filed"]["auto"]["share"] == 0.25
    assert foreign["filed"]["off"]["interval"] == pytest.approx([0.2152, 0.7848], abs=1e-3)
    assert foreign["auroc"] == pytest.approx(6 * 6 / (7 * 8)), "six of the photos rank above all but the reds"
    assert [Path(item["path"]).name for item in foreign["unreadable"]] == ["bad.jpg"]


def test_a_flat_folder_of_foreign_pictures_is_one_kind(
    model: Path, colours: Path, tmp_path: Path, reporter: Reporter
) -> None:
    (tmp_path / "receipts").mkdir()
    Image.new("RGB", (40, 40), "grey").save(tmp_path / "receipts" / "1.png")
    found = evaluate_model(with_familiarity(model), colours, None, reporter, tmp_path / "receipts").foreign
    assert found is not None
    assert [(kind.name, kind.off.count, kind.off.photos) for kind in found.kinds] == [("receipts", 0, 1)]


def test_a_model_that_cannot_tell_shows_what_it_files_and_says_so(
    model: Path, colours: Path, strangers: Path, reporter: Reporter, story: io.StringIO
) -> None:
    model.write_bytes(colour_model(gain=6.0, thresholds=dict.fromkeys(RGB, 0.97)))
    found = evaluate_model(model, colours, None, reporter, strangers)
    show(found, reporter)
    assert found.review is None
    assert found.foreign is not None
    assert (found.foreign.every.off.share, found.foreign.every.auto.share, found.foreign.auroc) == (1.0, 0.25, None)
    assert "cannot tell that a picture belongs to no class" in story.getvalue()


def test_what_is_judged_to_be_of_the_class_other_is_not_filed(
    model: Path, colours: Path, tmp_path: Path, reporter: Reporter
) -> None:
    model.write_bytes(colour_model(("red", "green", "_other")))
    (colours / "blue").rename(colours / "_other")
    Image.new("RGB", (40, 40), "blue").save(colours / "green" / "lake.png")
    for kind in ("red", "blue"):
        (tmp_path / "foreign" / kind).mkdir(parents=True)
        Image.new("RGB", (40, 40), kind).save(tmp_path / "foreign" / kind / "1.png")
    found = evaluate_model(model, colours, None, reporter, tmp_path / "foreign")
    assert found.review is not None
    assert {label: (sent.count, sent.photos) for label, sent in found.review.classes.items()} == {
        "red": (0, 1), "green": (1, 3),
    }  # fmt: skip
    assert found.foreign is not None
    assert {kind.name: kind.off.count for kind in found.foreign.kinds} == {"blue": 0, "red": 1}
    assert [sentence for sentence in found.foreign.sentences() if "cannot tell" in sentence] == []


def test_tables_show_what_familiarity_does(
    model: Path, colours: Path, strangers: Path, reporter: Reporter, story: io.StringIO
) -> None:
    show(evaluate_model(with_familiarity(model), colours, None, reporter, strangers), reporter)
    text = story.getvalue()
    assert "0 of these photos would go to review as unfamiliar: 0.0 % (0.0 to 39.0)." in text
    assert "Of 8 foreign pictures 50.0 % (21.5 to 78.5) would be filed as a class;" in text
    (row,) = (line for line in text.splitlines() if "mustard" in line)
    assert [cell.strip() for cell in row.strip("│").split("│")] == [
        "mustard", "2", "100.0 % (34.2 to 100.0)", "0.0 % (0.0 to 65.8)",
    ]  # fmt: skip


def test_a_folder_that_holds_no_foreign_pictures_or_photos_of_the_classes_is_refused(
    model: Path, colours: Path, tmp_path: Path, reporter: Reporter
) -> None:
    (tmp_path / "none").mkdir()
    refusals = {
        colours: "both foreign",
        colours / "red": "both foreign",
        tmp_path / "missing": "is not a folder",
        tmp_path / "none": "holds no photos",
    }
    for folder, words in refusals.items():
        with pytest.raises(PhototriageError, match=words):
            evaluate_model(model, colours, None, reporter, folder)


def test_a_model_file_is_measured_and_reported_without_any_training_dependency(
    model: Path, colours: Path, strangers: Path, root: Path, tmp_path: Path
) -> None:
    code = (
        "import sys\n"
        "for name in ('tensorflow', 'keras', 'sklearn', 'scipy', 'pandas', 'cleanlab', 'threadpoolctl', 'matplotlib',"
        " 'onnx', 'tf2onnx'): sys.modules[name] = None\n"
        "from training.commands.evaluate import evaluate\n"
        f"evaluate([{str(model)!r}, {str(colours)!r}, '--foreign', {str(strangers)!r},"
        f" '--output', {str(tmp_path / 'out')!r}, '--json'])\n"
    )
    with_familiarity(model)
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    assert told["metrics"]["correct"] == 5
    assert told["foreign"]["filed"]["off"]["count"] == 4
    assert (tmp_path / "out" / "figures" / "confusion.svg").is_file()
