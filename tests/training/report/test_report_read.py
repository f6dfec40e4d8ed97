"""What training wrote as predictions comes back as it was, whatever the names are."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from tests.training.report.support import LABELS
from training.dataset.digests import Digests
from training.dataset.layout import Photo
from training.errors import RunError
from training.measure.predictions import Predictions, read_predictions, write_predictions
from training.report.read import read_history


def written(root: Path, predictions: Predictions, labels: tuple[str, ...] = LABELS) -> Path:
    file = root / "predictions.csv"
    write_predictions(file, predictions, root, labels)
    return file


def test_predictions_come_back_with_photos_splits_and_probabilities(tmp_path: Path) -> None:
    names = ("=1+1.jpg", "a,b\n.jpg", "caf\udce9.jpg", "'quoted.jpg")
    photos = tuple(Photo(tmp_path / "sea" / name, 1, split) for name, split in zip(names, ("val", "val", "test", ""),
                                                                                      strict=True))  # fmt: skip
    before = Predictions(photos, np.array([[0.2, 0.5, 0.3]] * 4))
    after = read_predictions(written(tmp_path, before), tmp_path, LABELS)
    assert after.photos == photos
    assert np.abs(after.probabilities - before.probabilities).max() < 1e-6


def test_the_answers_of_the_final_model_and_the_hashes_come_back_beside_the_honest_answers(tmp_path: Path) -> None:
    photos = (Photo(tmp_path / "a.jpg", 0, "val"), Photo(tmp_path / "b.jpg", 1, "val"))
    honest, final = np.array([[0.2, 0.5, 0.3], [0.6, 0.3, 0.1]]), np.array([[0.9, 0.1, 0.0], [0.1, 0.8, 0.1]])
    hashes = Digests.of([b"\1" * 32, b"\2" * 32])
    labels = ("sha256", "learnt", "final learnt")  # names like those of the further columns
    for finals, digests, learnt in product((final, None), (hashes, None), (np.array([True, False]), None)):
        before = Predictions(photos, honest, finals, digests, learnt)
        after = read_predictions(written(tmp_path, before, labels), tmp_path, labels)
        assert np.abs(after.probabilities - honest).max() < 1e-6
        assert np.abs(after.of_final_model - before.of_final_model).max() < 2e-6
        assert (after.final is None, after.hashes) == (finals is None, digests)
        assert np.array_equal(after.learnt, learnt)  # type: ignore[arg-type]
        never = after.never_learnt()
        assert never is None if learnt is None else never is not None and never.photos == photos[1:]


def test_the_honest_answers_stand_in_the_columns_they_always_had(tmp_path: Path) -> None:
    before = Predictions(
        (Photo(tmp_path / "a.jpg", 0, "val"),),
        np.eye(3)[1:2],
        np.eye(3)[:1],
        Digests.of([b"\1" * 32]),
        np.ones(1, bool),
    )
    header, line = written(tmp_path, before).read_text().splitlines()
    assert header == "path,split,true,predicted,forest,sea,street,final forest,final sea,final street,learnt,sha256"
    assert line == "a.jpg,val,forest,sea,0.000000,1.000000,0.000000,1.000000,0.000000,0.000000,yes," + "01" * 32


def test_class_names_that_look_like_formulas_come_back(tmp_path: Path) -> None:
    labels = ("+1", "-1")
    before = Predictions((Photo(tmp_path / "+1" / "a.jpg", 0, "val"),), np.array([[0.9, 0.1]]))
    assert read_predictions(written(tmp_path, before, labels), tmp_path, labels).photos == before.photos


def test_a_probability_rounded_to_zero_is_not_taken_for_impossible(tmp_path: Path) -> None:
    before = Predictions((Photo(tmp_path / "sea" / "a.jpg", 1, "val"),), np.array([[0.9999999, 1e-8, 0.0]]))
    after = read_predictions(written(tmp_path, before), tmp_path, LABELS)
    assert -np.log(after.probabilities[0, 1]) < 16
    assert after.probabilities.sum() == pytest.approx(1.0)


def test_a_tie_made_by_rounding_keeps_the_class_that_was_predicted(tmp_path: Path) -> None:
    before = Predictions((Photo(tmp_path / "sea" / "a.jpg", 1, "val"),), np.array([[0.4, 0.4 + 1e-9, 0.2]]))
    assert read_predictions(written(tmp_path, before), tmp_path, LABELS).probabilities.argmax() == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "path,split,true,predicted,forest,sea,street\n",
        "path,split,true,predicted,sea,forest,street\na,val,sea,sea,1,0,0\n",
        "path,split,true,predicted,forest,sea,street\na,val,sea,sea,0.1,0.9\n",
        "path,split,true,predicted,forest,sea,street\na,val,lake,sea,0.1,0.9,0\n",
        "path,split,true,predicted,forest,sea,street\na,val,sea,sea,0.9,0.1,0\n",
        "path,split,true,predicted,forest,sea,street\na,val,sea,sea,nan,0.1,0\n",
        "path,split,true,predicted,forest,sea,street\na,val\n",
        "path,split,true,predicted,forest,sea,street,final forest\na,val,sea,sea,0,1,0,1\n",
        "path,split,true,predicted,forest,sea,street,sha256\na,val,sea,sea,0,1,0,01\na,val,sea,sea,0,1,0,??\n",
    ],
)
def test_damaged_predictions_are_refused_in_one_sentence(tmp_path: Path, text: str) -> None:
    file = tmp_path / "predictions.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(RunError, match="missing or damaged"):
        read_predictions(file, tmp_path, LABELS)


def test_a_history_that_is_not_there_is_no_error(tmp_path: Path) -> None:
    assert read_history(tmp_path / "history.csv") == []
