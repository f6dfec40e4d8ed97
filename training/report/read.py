"""Read predictions with all probabilities, and the history, from a run folder."""

import csv
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from common.text import cell
from training.dataset.layout import Photo
from training.errors import RunError
from training.measure.predictions import Predictions

ROUNDING = 5e-7  # half of the last digit in the file: a probability written as 0 may be larger than 0


def read_predictions(file: Path, root: Path, labels: Sequence[str]) -> Predictions:
    """Read predictions.csv, all splits.

    Args:
        root: folder to which the paths are relative.
        labels: class names in the order of the columns.

    Raises:
        RunError: the file is missing or damaged, or has other classes.
    """
    try:
        with file.open(encoding="utf-8", errors="surrogateescape", newline="") as lines:
            rows = csv.reader(lines)
            if next(rows, []) != ["path", "split", "true", "predicted", *map(cell, labels)]:
                raise ValueError("its columns are not those of this run")
            index = {cell(label): number for number, label in enumerate(labels)}
            return _parse(list(rows), root, index)
    except (OSError, KeyError, ValueError, IndexError, csv.Error) as error:
        raise RunError(f"{file} is missing or damaged ({error}). Train or evaluate again.") from error


def _parse(rows: list[list[str]], root: Path, index: dict[str, int]) -> Predictions:
    if not rows:
        raise ValueError("it holds no photos")
    photos = tuple(Photo(Path(os.path.normpath(root / row[0])), index[row[2]], row[1]) for row in rows)
    given = np.array([row[4:] for row in rows], np.float64)
    if given.shape[1:] != (len(index),):
        raise ValueError("a line is too short")
    predicted = np.array([index[row[3]] for row in rows], np.int64)
    return Predictions(photos, _restored(given, predicted))


def _restored(given: NDArray[np.float64], predicted: NDArray[np.int64]) -> NDArray[np.float64]:
    """Undo effects of rounding to six digits: zeros, sums that are not 1, and ties with the predicted class."""
    if not np.isfinite(given).all() or (given < 0).any():
        raise ValueError("it holds probabilities that are none")
    places = np.arange(len(given))
    restored = np.maximum(given, ROUNDING)
    if (given.max(axis=1) - given[places, predicted] > 3 * ROUNDING).any():
        raise ValueError("a photo is predicted as a class that is not its most probable one")
    restored[places, predicted] = np.maximum(restored[places, predicted], restored.max(axis=1) + ROUNDING / 10)
    return np.asarray(restored / restored.sum(axis=1, keepdims=True))


def read_history(file: Path) -> list[dict[str, str]]:
    """Rows of history.csv. A missing or damaged file gives none, and the report then has no curves."""
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            return [{name: text for name, text in row.items() if name and text} for row in csv.DictReader(lines)]
    except (OSError, ValueError, csv.Error):
        return []
