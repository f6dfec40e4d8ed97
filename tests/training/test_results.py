"""What a recipe may ask for beside the usual: figures of training photos, sorted test photos, a grid of pictures."""

import csv
import errno
import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.dataset.layout import Photo
from training.measure.predictions import Predictions
from training.measure.sorted_photos import sort_test_photos
from training.progress import Reporter
from training.report.picture_grid import PHOTOS, choose, write_picture_grid

LABELS = ("cat", "dog")
Make = Callable[..., Path]


def predictions(photos: list[Photo], taken: list[int]) -> Predictions:
    return Predictions(tuple(photos), np.array([[0.8, 0.2] if label == 0 else [0.2, 0.8] for label in taken]))


@pytest.fixture
def named_alike(tmp_path: Path) -> list[Photo]:
    """Two test photos of one name in two classes, and a validation photo."""
    photos = []
    for label, name, split in ((0, "1.jpg", "test"), (1, "1.jpg", "test"), (1, "2.jpg", "val")):
        path = tmp_path / "photos" / LABELS[label] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 30), (200, 40 * label, 0)).save(path)
        photos.append(Photo(path, label, split))
    return photos


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_test_photos_stand_under_what_they_were_taken_for_and_no_name_is_overwritten(
    named_alike: list[Photo], tmp_path: Path, reporter: Reporter
) -> None:
    before = content(tmp_path / "photos")
    done = sort_test_photos(tmp_path / "run", predictions(named_alike, [1, 1, 1]), LABELS, reporter)
    found = content(tmp_path / "run" / "test_by_prediction")
    assert found == {"dog/1.jpg": before["cat/1.jpg"], "dog/1-2.jpg": before["dog/1.jpg"]}
    assert content(tmp_path / "photos") == before
    assert (done.placed, done.gone) == (2, 0)
    assert (tmp_path / "run" / "test_by_prediction" / "dog" / "1.jpg").stat().st_nlink == 2


def test_across_disks_photos_are_copied(
    named_alike: list[Photo], tmp_path: Path, reporter: Reporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    sort_test_photos(tmp_path / "run", predictions(named_alike, [0, 1, 1]), LABELS, reporter)
    copy = tmp_path / "run" / "test_by_prediction" / "cat" / "1.jpg"
    assert copy.read_bytes() == named_alike[0].path.read_bytes()
    assert copy.stat().st_nlink == 1


def test_a_photo_that_is_a_relative_link_is_followed(
    named_alike: list[Photo], tmp_path: Path, reporter: Reporter
) -> None:
    linked = tmp_path / "photos" / "cat" / "linked.jpg"
    linked.symlink_to("1.jpg")
    sort_test_photos(tmp_path / "run", predictions([Photo(linked, 0, "test")], [0]), LABELS, reporter)
    assert (tmp_path / "run" / "test_by_prediction" / "cat" / "linked.jpg").read_bytes() == linked.read_bytes()


def test_what_a_killed_training_sorted_is_made_anew_and_a_photo_that_went_is_counted(
    named_alike: list[Photo], tmp_path: Path, reporter: Reporter
) -> None:
    given = predictions(named_alike, [0, 1, 1])
    sort_test_photos(tmp_path / "run", given, LABELS, reporter)
    named_alike[1].path.unlink()
    done = sort_test_photos(tmp_path / "run", given, LABELS, reporter)
    assert list(content(tmp_path / "run" / "test_by_prediction")) == ["cat/1.jpg"]
    assert "1 test photos are linked in" in done.sentence()
    assert "1 could not be read any more" in done.sentence()


def test_without_test_photos_that_is_said_and_no_folder_is_made(
    named_alike: list[Photo], tmp_path: Path, reporter: Reporter
) -> None:
    (tmp_path / "run").mkdir()
    done = sort_test_photos(tmp_path / "run", predictions(named_alike[2:], [1]), LABELS, reporter)
    assert done.sentence() == "There are no test photos to sort by predicted class."
    assert list((tmp_path / "run").iterdir()) == []


def test_the_grid_mixes_mistakes_and_hits_of_all_classes_and_is_capped() -> None:
    photos = [Photo(Path(f"{number}.jpg"), number % 2, "test") for number in range(200)]
    given = predictions(photos, [number % 2 if number % 10 else 1 - number % 2 for number in range(200)])
    chosen = choose(given)
    right = given.probabilities.argmax(axis=1)[chosen] == given.true[chosen]
    assert len(chosen) == len(set(chosen)) == PHOTOS
    assert right.sum() == PHOTOS // 2
    assert set(given.true[chosen][right]) == {0, 1}
    assert chosen == choose(given)
    perfect = choose(predictions(photos, [number % 2 for number in range(200)]))
    assert len(perfect) == PHOTOS


def test_the_grid_is_of_test_photos_where_there_are_any(named_alike: list[Photo]) -> None:
    assert choose(predictions(named_alike, [0, 1, 1])) == [0, 1]
    assert choose(predictions(named_alike[2:], [1])) == [0]


def test_the_grid_is_a_picture_without_exif_and_takes_odd_names_and_lost_photos(
    named_alike: list[Photo], tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[0x010F] = "A camera with a serial number"
    Image.new("RGB", (400, 300), "orange").save(named_alike[0].path, exif=exif)
    named_alike[1].path.unlink()
    file = write_picture_grid(tmp_path, predictions(named_alike, [1, 1, 1]), ("$\\frac{", "<script>" * 9))
    assert b"camera" not in file.read_bytes()
    with Image.open(file) as picture:
        assert not picture.getexif()
        assert picture.width > 1000


@pytest.mark.usefixtures("small_backbone")
def test_a_recipe_asks_for_all_three(
    tmp_path: Path, make_dataset: Make, reporter: Reporter, story: io.StringIO
) -> None:
    from training.pipeline import train_run
    from training.recipe.recipe import recipe_of
    from training.run import load_run

    recipe = recipe_of({
        "weights": "none", "input": {"size_px": 32}, "head": {"epochs": 2, "least_steps": 5},
        "fine_tune": {"epochs": 0}, "results": {"train_figures": True, "sort_test": True, "picture_grid": True},
    })  # fmt: skip
    dataset = make_dataset(tmp_path / "photos", ("a", "b"), count=6)
    test = make_dataset(tmp_path / "test", ("a", "b"), count=3, seed=7)
    run = tmp_path / "run"
    train_run(dataset, run, recipe, test, reporter)
    metrics = load_run(run).metrics
    assert {split: figures["photos"] for split, figures in metrics.items()} == {"validation": 2, "test": 6, "train": 10}
    assert set(metrics["train"]) >= {"macro_auc", "macro_f1", "calibration_error", "calibration_binning", "brier"}
    with (run / "predictions.csv").open(newline="") as lines:
        splits = [row["split"] for row in csv.DictReader(lines)]
    assert (splits.count("train"), splits.count("val"), splits.count("test")) == (10, 2, 6)
    assert len(content(run / "test_by_prediction")) == 6
    assert (run / "picture_grid.png").is_file()
    assert "6 test photos are linked in" in story.getvalue()
    assert "Accuracy on the 10 training photos" in story.getvalue()
    assert json.loads((run / "run.json").read_text())["recipe"]["results"]["sort_test"] is True
