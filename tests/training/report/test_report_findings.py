"""What a run found out about its data stands in its report, also of runs that kept less, and names stay words."""

from pathlib import Path

import pytest

from tests.training.report.conftest import MakeRun
from tests.training.report.support import Page
from training.dataset.layout import Photo
from training.errors import RunError
from training.measure.predictions import Predictions, read_predictions, write_predictions
from training.report import report_of_run
from training.report.charts import stage_starts
from training.report.content import ReportFinding
from training.report.page import page
from training.run import PREDICTIONS

EVIL = "<script>alert(1)</script>.jpg"
FOUND = {
    "photos": 60,
    "counts": {"unlisted-folder": 0, "unreadable": 1, "blank": 0, "two-labels": 0, "leak": 2, "duplicate": 0,
               "near-duplicate": 0, "balance": 1, "suspect-label": 30},
    "examples": [
        {"kind": "unreadable", "photos": [f"sea/{EVIL}"], "detail": "the file is empty"},
        {"kind": "leak", "photos": ["sea/04.jpg", "sea/05.jpg"], "detail": "the same file in train and test"},
        {"kind": "leak", "photos": ["sea/06.jpg", "sea/07.jpg"], "detail": "the same file in train and test"},
        {"kind": "balance", "photos": [], "detail": "sea: 3 readable photos to train on, the largest class has 50"},
        {"kind": "suspect-label", "photos": ["forest/03.jpg"], "detail": "in forest, looks like sea (60% against 20%)"},
    ],
}  # fmt: skip


def findings(make_run: MakeRun) -> dict[str, ReportFinding]:
    return {finding.title: finding for finding in report_of_run(make_run(data_findings=FOUND)).findings}


def test_each_kind_that_was_found_is_told_with_its_photos_and_the_rest_in_one_line(
    make_run: MakeRun, tmp_path: Path
) -> None:
    found = findings(make_run)
    assert found["Unreadable files"].level == "warning"
    assert "with check-data --quarantine" in found["Unreadable files"].sentence
    leak = found["The same photo in two splits"]
    assert leak.sentence.startswith("2 found. ")
    assert [path.name for path, _ in leak.photos] == ["04.jpg", "05.jpg", "06.jpg", "07.jpg"]
    assert leak.photos[2] == (tmp_path / "photos" / "sea" / "06.jpg", "group 2: the same file in train and test")
    assert found["Suspected wrong labels"].level == "note"
    assert "sea: 3 readable photos" in found["Class balance"].sentence
    assert found["Not found"].sentence == (
        "None found in 60 photos: folders that cannot be listed or followed, blank pictures,"
        " photos under two labels, exact duplicates, near duplicates."
    )
    assert "check-data" in found["The rest"].sentence


def test_the_page_shows_them_with_small_pictures_and_the_command_for_the_rest(make_run: MakeRun) -> None:
    run = make_run(data_findings=FOUND)
    shown = Page(page(report_of_run(run)))
    assert "script" not in {tag for tag, _ in shown.elements}
    assert EVIL in shown.text
    assert "group 1: the same file in train and test" in shown.text
    assert "phototriage check-data PHOTOS --run mine --output check" in shown.text


def test_what_was_not_looked_for_is_not_called_absent(make_run: MakeRun) -> None:
    given = report_of_run(make_run(data_findings={"photos": 9, "counts": {"leak": 0}, "examples": []}))
    found = {finding.title: finding for finding in given.findings}
    assert found["Not found"].sentence == "None found in 9 photos: photos in two splits."


def test_a_run_of_before_tells_what_it_kept(make_run: MakeRun) -> None:
    assert [finding.title for finding in report_of_run(make_run()).findings] == ["Photos", "Unreadable"]


@pytest.mark.parametrize("damaged", [[], {"photos": 1}, FOUND | {"counts": {"nonsense": 1}}])
def test_damaged_findings_are_refused_in_one_sentence(make_run: MakeRun, damaged: object) -> None:
    with pytest.raises(RunError, match="is damaged"):
        report_of_run(make_run(data_findings=damaged))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "MobileNetV2"),
        ({"backbone": "VGG16", "network": {"hidden": [512, 64], "sigmoid": True}},
         "VGG16, fully connected 512 and 64, one sigmoid unit"),
    ],
)  # fmt: skip
def test_the_card_names_the_network(make_run: MakeRun, settings: dict[str, object], words: str) -> None:
    given = report_of_run(make_run(recipe={"precision": 0.95, **settings}, resumed_after=[2, 3]))
    assert dict(given.card)["Network"] == words
    assert dict(given.card)["Resumed"] == "Training was killed, and resumed after epoch 2, 3."


HISTORY = [("0", "start"), ("1", "head"), ("2", "head"), ("3", "fine-tune"), ("4", "fine-tune")]


def test_a_line_stands_where_one_stage_on_photos_ends_and_the_next_begins() -> None:
    assert stage_starts([{"epoch": epoch, "stage": stage} for epoch, stage in HISTORY]) == [2.5]


def test_a_head_on_features_and_a_history_without_stages_have_no_such_line() -> None:
    assert stage_starts([{"epoch": "0", "stage": "head"}, {"epoch": "1", "stage": "fine-tune"}]) == []
    assert stage_starts([{"epoch": "0"}, {"epoch": "1"}]) == []


@pytest.mark.parametrize(("best", "kept"), [(2, "epoch 2 of the head"), (4, "epoch 4 of fine-tuning"), (0, "epoch 0")])
def test_the_page_of_two_stages_says_what_the_lines_are(
    make_run: MakeRun, photos: tuple[Photo, ...], best: int, kept: str
) -> None:
    run = make_run()
    rows = [f"{epoch},{stage},1.0,0.{epoch}5,0.7,{int(epoch) <= best}" for epoch, stage in HISTORY]
    (run.path / "history.csv").write_text("\n".join(["epoch,stage,loss,accuracy,log_loss,best", *rows]))
    shown = Page(page(report_of_run(run)))
    assert f"fine-tuning begins{kept}, whose weights were kept" in shown.text
    for kind in ("start", "key start", "mark", "key mark"):
        assert shown.values("class").count(kind) == 2, kind


def test_a_report_that_is_handed_on_names_no_folder_of_the_person_who_trained(
    make_run: MakeRun, tmp_path: Path
) -> None:
    recipe = {"seed": 0, "groups": str(tmp_path / "groups.csv")}
    run = make_run(data_findings=FOUND, recipe=recipe, weights={"name": "file", "file": str(tmp_path / "w.onnx")})
    before = read_predictions(run.path / PREDICTIONS, run.dataset, run.labels)
    elsewhere = tmp_path / "elsewhere" / "sea"
    photos = tuple(Photo(elsewhere / photo.path.name, photo.label, photo.split) for photo in before.photos)
    moved = Predictions(photos, before.probabilities)
    write_predictions(run.path / PREDICTIONS, moved, run.dataset, run.labels)
    text = page(report_of_run(run))
    assert str(tmp_path) not in text
    assert tmp_path.name not in text
    assert "groups.csv" in text
    assert "w.onnx" in text
    assert "sea/00.jpg" in text
