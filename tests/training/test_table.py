"""Predictions survive hostile names: no cell is a formula, and every path is found again."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest

from common.text import cell
from training.dataset.layout import Photo
from training.measure.predictions import Predictions, read_predictions, write_predictions

LABELS = ("=SUM(A1)", "plain", "'=SUM(A1)", "@home")


def predictions(root: Path, names: list[str], label: int = 0, split: str = "val") -> Predictions:
    photos = tuple(Photo(root / name, label, split) for name in names)
    return Predictions(photos, np.tile([0.1, 0.7, 0.15, 0.05], (len(names), 1)))


def test_every_photo_is_a_line_with_all_its_probabilities(tmp_path: Path) -> None:
    write_predictions(tmp_path / "p.csv", predictions(tmp_path, ["plain/1.jpg"], label=1), tmp_path, LABELS)
    (row,) = csv.DictReader((tmp_path / "p.csv").read_text().splitlines())
    assert row == {
        "path": "plain/1.jpg",
        "split": "val",
        "true": "plain",
        "predicted": "plain",
        "'=SUM(A1)": "0.100000",
        "plain": "0.700000",
        "''=SUM(A1)": "0.150000",
        "'@home": "0.050000",
    }


@pytest.mark.parametrize("label", range(len(LABELS)))
def test_no_cell_begins_a_formula_and_every_photo_is_found_again(tmp_path: Path, label: int) -> None:
    names = ["=cmd|x/1.jpg", "+1.jpg", "-a\nb.jpg", "\t.jpg", 'quo"te,comma.jpg', os.fsdecode(b"\xff\xfe.jpg"), "é.jpg"]
    made = predictions(tmp_path, names, label)
    outside = Photo(tmp_path.parent / "elsewhere.jpg", 1, "test")
    made = Predictions((*made.photos, outside), np.vstack([made.probabilities, made.probabilities[:1]]))
    write_predictions(tmp_path / "p.csv", made, tmp_path, LABELS)
    with (tmp_path / "p.csv").open(encoding="utf-8", errors="surrogateescape", newline="") as lines:
        cells = [value for row in csv.reader(lines) for value in row]
    assert not [value for value in cells if value.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))]
    found = read_predictions(tmp_path / "p.csv", tmp_path, LABELS)
    assert found.of("val").photos == tuple(Photo(tmp_path / name, label, "val") for name in names)
    assert found.of("test").photos == (outside,)


def test_two_labels_never_become_one() -> None:
    assert len({cell(label) for label in LABELS}) == len(LABELS)
