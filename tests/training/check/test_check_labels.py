"""Wrong labels are found by a classifier that has not seen the photo, nor its twin."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from common.errors import PhototriageError
from training.check.labels import FOLDS, fold_of
from training.commands.check_data import check_data
from training.run import MODEL, write_manifest

MakePhotos = Callable[..., list[Path]]
LABELS = ("blue", "green", "red")


def test_near_duplicates_are_in_one_fold_and_classes_are_dealt_evenly() -> None:
    labels = np.repeat([0, 1, 2], [50, 30, 5])
    groups = np.arange(85)
    groups[1], groups[60] = 0, 59
    folds = fold_of(labels, groups)
    assert folds[1] == folds[0]
    assert folds[60] == folds[59]
    for label in range(3):
        counts = np.bincount(folds[labels == label], minlength=FOLDS)
        assert counts.max() - counts.min() <= 2


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run from random weights whose network tells photos by their mean colour: small, and made in no time."""
    import keras

    folder = tmp_path_factory.mktemp("run")
    images = keras.Input((32, 32, 3), dtype="uint8", name="images")
    scaled = keras.layers.Rescaling(1 / 10)(images)
    pooled = keras.layers.GlobalAveragePooling2D(name="pool")(scaled)
    keras.Model(images, keras.layers.Dense(len(LABELS), name="logits")(pooled)).save(folder / MODEL)
    manifest = {
        "labels": LABELS,
        "geometry": {"id": "exif-rgb-stretch-bilinear-1", "size_px": 32},
        "temperature": 1.0,
        "thresholds": {},
        "metrics": {},
        # A run of before: where its dropout stands is no longer a setting.
        "recipe": {"weights": "none", "input": {"size_px": 32}, "fine_tune": {"dropout": 0.2}},
        "dataset": {"root": "photos", "sha256": ""},
    }
    write_manifest(folder, manifest)
    return folder


def test_planted_wrong_labels_are_found_with_what_they_look_like(
    run: Path, tmp_path: Path, make_dataset: Callable[..., Path], make_photos: MakePhotos
) -> None:
    dataset = make_dataset(tmp_path / "photos", count=20)
    for number, path in enumerate(make_photos(tmp_path / "wrong", "red", 2, seed=77)):
        path.rename(dataset / "blue" / f"wrong-{number}.jpg")
    result = CliRunner().invoke(check_data, [str(dataset), "--run", str(run), "--json"])
    assert result.exception is None, result.exception
    found = [item for item in json.loads(result.stdout)["findings"] if item["kind"] == "suspect-label"]
    assert {item["photos"][0]["path"] for item in found} == {"blue/wrong-0.jpg", "blue/wrong-1.jpg"}
    assert {(item["given"], item["suggested"]) for item in found} == {("blue", "red")}
    assert all(item["probability"] > 0.5 > item["given_probability"] for item in found)


def test_test_photos_are_neither_learnt_from_nor_judged(
    run: Path, tmp_path: Path, make_dataset: Callable[..., Path], make_photos: MakePhotos
) -> None:
    dataset = tmp_path / "photos"
    make_dataset(dataset / "train", count=20)
    make_dataset(dataset / "test", count=6, seed=5)
    for number, path in enumerate(make_photos(tmp_path / "wrong", "red", 5, seed=77)):
        path.rename(dataset / "test" / "blue" / f"wrong-{number}.jpg")
    result = CliRunner().invoke(check_data, [str(dataset), "--run", str(run), "--json"])
    assert result.exception is None, result.exception
    assert json.loads(result.stdout)["counts"]["suspect-label"] == 0


def test_a_run_of_other_classes_is_refused(run: Path, tmp_path: Path, make_photos: MakePhotos) -> None:
    for label in ("cat", "dog"):
        make_photos(tmp_path / "other" / label, label, 3)
    result = CliRunner().invoke(check_data, [str(tmp_path / "other"), "--run", str(run)])
    assert isinstance(result.exception, PhototriageError)
    assert "has the classes blue, green, red" in str(result.exception)
