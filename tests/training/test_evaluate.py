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
from tests.colour_model import colour_model
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


def test_a_model_file_is_measured_and_reported_without_any_training_dependency(
    model: Path, colours: Path, root: Path, tmp_path: Path
) -> None:
    code = (
        "import sys\n"
        "for name in ('tensorflow', 'keras', 'sklearn', 'scipy', 'pandas', 'cleanlab', 'threadpoolctl', 'matplotlib',"
        " 'onnx', 'tf2onnx'): sys.modules[name] = None\n"
        "from training.commands.train import evaluate\n"
        f"evaluate([{str(model)!r}, {str(colours)!r}, '--output', {str(tmp_path / 'out')!r}, '--json'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["metrics"]["correct"] == 5
    assert (tmp_path / "out" / "figures" / "confusion.svg").is_file()
