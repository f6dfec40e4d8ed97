"""Runs and evaluations bring to a report what they know, and the command writes it anew."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.colour_model import colour_model
from tests.training.report.conftest import MakeRun
from tests.training.report.support import LABELS, TAKEN, TRUE, Page, probabilities
from training.commands.report import report
from training.dataset.layout import Dataset, Photo
from training.errors import RunError, TrainingError
from training.measure.evaluate import Evaluation
from training.measure.foreign import Foreign, Kind, Share
from training.measure.metrics import compute_metrics
from training.measure.predictions import Predictions
from training.report import About, ReportFinding, about_model, report_of_evaluation, report_of_run, write_report
from training.report.page import page
from training.run import PREDICTIONS


def evaluation(model: Path, photos: tuple[Photo, ...], root: Path) -> Evaluation:
    plain = tuple(Photo(photo.path, photo.label) for photo in photos)
    predictions = Predictions(plain, probabilities(TAKEN, 3))
    metrics = compute_metrics(predictions.true, predictions.probabilities, LABELS)
    unreadable = ((root / "sea" / "broken\x1b.jpg", "the file is empty"),)
    return Evaluation(model, Dataset(root, LABELS, plain, "class folders"), metrics, predictions, unreadable)


def test_an_evaluation_of_a_model_file_tells_of_unreadable_photos_and_how_to_use_it(
    photos: tuple[Photo, ...], tmp_path: Path
) -> None:
    given = report_of_evaluation(evaluation(Path("my model.onnx"), photos, tmp_path / "photos"), About({"sea": 0.95}))
    shown = Page(page(given))
    for words in ("my model.onnx on photos", "Of 12 photos, 9 were", "1 photo could not be read", "the file is empty",
                  r"broken\x1b.jpg", "phototriage inspect 'my model.onnx'", "Its own thresholds send"):  # fmt: skip
        assert words in shown.text, words


def test_an_evaluation_shows_how_many_foreign_pictures_are_filed(photos: tuple[Photo, ...], tmp_path: Path) -> None:
    kind = Kind("receipts", Share(2, 16), Share(1, 16))
    found = replace(
        evaluation(Path("my model.onnx"), photos, tmp_path / "photos"),
        foreign=Foreign(tmp_path, kind, (kind,), False, None, ()),
    )
    section = Page(page(report_of_evaluation(found))).text.partition("Pictures that belong to no class")[2]
    assert "receipts" in section
    assert "12.5 %" in section


def test_an_evaluation_of_a_run_leads_to_its_conversion(photos: tuple[Photo, ...], tmp_path: Path) -> None:
    given = report_of_evaluation(evaluation(Path("runs/mine/model.keras"), photos, tmp_path / "photos"))
    assert [step.command for step in given.steps] == ["phototriage convert mine --output model.onnx"]


def test_a_run_says_the_same_of_itself_by_its_folder_and_by_its_model(make_run: MakeRun) -> None:
    run = make_run()
    about = about_model(run.path)
    assert about == about_model(run.path / "model.keras")
    assert about.thresholds == dict.fromkeys(LABELS, 0.65)
    assert dict(about.card)["Input"] == "96 x 96 px, exif-rgb-stretch-bilinear-1"


def test_a_model_file_says_of_itself_what_its_contract_holds(tmp_path: Path) -> None:
    file = tmp_path / "colours.onnx"
    file.write_bytes(colour_model(thresholds={"red": 0.5}))
    about = about_model(file)
    card = dict(about.card)
    assert about.thresholds == {"red": 0.5}
    assert card["Precision"] == "fp32"
    assert card["Model SHA-256"] == hashlib.sha256(file.read_bytes()).hexdigest()


def test_findings_of_others_stand_after_what_the_run_knows(make_run: MakeRun) -> None:
    given = report_of_run(make_run(), [ReportFinding("Twins", "note", "None.")])
    assert [finding.title for finding in given.findings] == ["Photos", "Unreadable", "Twins"]


def test_a_run_with_test_photos_is_reported_on_them_and_gives_the_other_figure_beside(
    make_run: MakeRun, photos: tuple[Photo, ...]
) -> None:
    split = tuple(Photo(photo.path, photo.label, "test" if n % 4 == 3 else "val") for n, photo in enumerate(photos))
    given = report_of_run(make_run(of=split))
    assert [(part.split, len(part.true)) for part in given.parts] == [("test", 3), ("val", 9)]
    assert given.parts[0].scores.metrics.accuracy == 0.0  # the wrong one of each class is the last one
    shown = Page(page(given)).text
    assert "on 9 validation photos" in shown
    assert "All measured photos" in shown
    assert "test photos30.0" in shown
    assert "validation photos9100.0" in shown


def test_the_command_writes_the_report_into_the_run_or_elsewhere(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run()
    done = CliRunner().invoke(report, [str(run.path), "--output", str(tmp_path / "there")], catch_exceptions=False)
    assert done.output == f"The report is in {tmp_path / 'there' / 'report.html'}.\n"
    assert (tmp_path / "there" / "report.html").is_file()
    assert not (run.path / "report.html").exists()


def test_a_run_without_predictions_ends_in_one_sentence(make_run: MakeRun) -> None:
    run = make_run()
    (run.path / PREDICTIONS).unlink()
    with pytest.raises(RunError, match="missing or damaged"):
        report_of_run(run)


def test_a_folder_that_cannot_be_written_ends_in_one_sentence(make_run: MakeRun, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(TrainingError, match="cannot be written into"):
        write_report(tmp_path / "file", report_of_run(make_run()))


def test_the_true_class_of_every_photo_is_kept(make_run: MakeRun) -> None:
    assert report_of_run(make_run()).predictions.true.tolist() == list(TRUE)
