"""What training knows of its photos anyway agrees with the check, costs no look at them, and comes back from a run."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cleanlab.filter import find_label_issues
from PIL import Image

from training.check.check import check_dataset
from training.check.held_out import suspect_labels
from training.check.kinds import Kind
from training.check.known import KINDS, SHOWN, DataFindings, known_findings
from training.dataset.layout import Photo
from training.dataset.prepare import PreparedData, prepare
from training.measure.predictions import Predictions
from training.progress import Reporter
from training.recipe.recipe import Input, Recipe

Make = Callable[..., Path]
RECIPE = Recipe(weights="none", input=Input(size_px=32))


@pytest.fixture
def faulty(tmp_path: Path, make_dataset: Make) -> Path:
    """A dataset in which every kind of finding occurs that training can know."""
    root = tmp_path / "photos"
    make_dataset(root / "train", ("blue", "red"), count=30)
    make_dataset(root / "train", ("green",), count=2)
    make_dataset(root / "test", ("blue", "red"), count=3, seed=5)
    (root / "train" / "red" / "=bad.jpg").write_text("no photo")
    Image.new("RGB", (50, 40), (9, 9, 9)).save(root / "train" / "blue" / "dark.png")
    Image.new("RGB", (50, 40), (9, 9, 9)).save(root / "train" / "red" / "dark.png")
    shutil.copy(root / "train" / "red" / "003.jpg", root / "train" / "blue" / "two labels.jpg")
    shutil.copy(root / "test" / "blue" / "000.jpg", root / "train" / "blue" / "leak.jpg")
    Image.open(root / "train" / "red" / "001.jpg").save(root / "train" / "red" / "again.png")
    return root


def prepared(root: Path, reporter: Reporter) -> PreparedData:
    return prepare(root, None, RECIPE, reporter)


def findings(data: PreparedData) -> DataFindings:
    return known_findings(data.dataset, data.found)


def test_training_finds_what_the_check_finds(faulty: Path, reporter: Reporter) -> None:
    found = findings(prepared(faulty, reporter))
    checked = check_dataset(faulty, reporter).report.counts()
    assert found.counts == {kind: checked[kind] for kind in KINDS}
    assert found.counts == {
        Kind.UNLISTED: 0, Kind.UNREADABLE: 1, Kind.BLANK: 2, Kind.CONFLICT: 1, Kind.LEAK: 1, Kind.DUPLICATE: 2,
        Kind.NEAR: 1, Kind.BALANCE: 1,
    }  # fmt: skip
    by_kind = {item.kind: item for item in found.examples}
    assert by_kind[Kind.UNREADABLE].photos == ("train/red/=bad.jpg",)
    assert sorted(by_kind[Kind.LEAK].photos) == ["test/blue/000.jpg", "train/blue/leak.jpg"]
    assert by_kind[Kind.CONFLICT].detail == "the same file in blue and red"


def test_what_is_found_comes_back_from_json_and_is_capped(
    tmp_path: Path, make_dataset: Make, reporter: Reporter
) -> None:
    dataset = make_dataset(tmp_path / "photos", ("a", "b"), count=20)
    for path in list((dataset / "a").iterdir()):
        shutil.copy(path, path.with_name(f"copy of {path.name}"))
    found = findings(prepared(dataset, reporter))
    assert found.counts[Kind.DUPLICATE] == 20
    assert len(found.examples) == SHOWN
    assert DataFindings.from_dict(json.loads(json.dumps(found.to_dict()))) == found


def test_suspected_labels_are_looked_for_among_validation_photos_alone(
    tmp_path: Path, make_dataset: Make, reporter: Reporter
) -> None:
    data = prepared(make_dataset(tmp_path / "photos", ("a", "b"), count=4), reporter)
    photos = [Photo(tmp_path / "photos" / "a" / f"{number}.jpg", number % 2, "val") for number in range(10)]
    photos.append(Photo(photos[0].path, photos[0].label, "test"))
    given = np.array([[0.9, 0.1] if photo.label == 0 else [0.1, 0.9] for photo in photos])
    given[[0, 10]] = [0.02, 0.98]
    found = findings(data).with_suspect_labels(Predictions(tuple(photos), given), data.dataset)
    assert found.counts[Kind.SUSPECT] == 1
    assert found.examples[-1].photos == ("a/0.jpg",)
    assert found.examples[-1].detail == "in a, looks like b (98.0% against 2.0%)"


@pytest.mark.parametrize("seed", range(5))
def test_doubts_are_those_of_confident_learning(seed: int) -> None:
    rng = np.random.default_rng(seed)
    true = rng.integers(0, 4, 400)
    given = rng.dirichlet(np.full(4, 0.4), 400) + 0.7 * np.eye(4)[np.where(rng.random(400) < 0.15, 0, true)]
    given /= given.sum(axis=1, keepdims=True)
    wanted = find_label_issues(true, given, filter_by="confident_learning", n_jobs=1)
    found = suspect_labels(true, given)
    assert sorted(found.tolist()) == np.flatnonzero(wanted).tolist()
    margins = given[found].max(axis=1) - given[found, true[found]]
    assert margins.tolist() == sorted(margins, reverse=True)


def test_a_class_without_photos_raises_no_doubt_and_breaks_nothing() -> None:
    assert suspect_labels(np.array([0, 0]), np.array([[0.9, 0.0, 0.1], [0.1, 0.0, 0.9]])).tolist() == []
