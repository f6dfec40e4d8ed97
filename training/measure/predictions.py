"""Predictions as CSV, one photo a line, safe to open in a spreadsheet."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from common.publish import publish_bytes
from common.text import cell, path_cell
from training.dataset.layout import Photo
from training.measure.metrics import Floats


@dataclass(frozen=True)
class Predictions:
    """Photos and their predicted probabilities, [N, classes]."""

    photos: tuple[Photo, ...]
    probabilities: Floats

    @property
    def true(self) -> NDArray[np.int64]:
        return np.array([photo.label for photo in self.photos], np.int64)


def write_predictions(file: Path, predictions: Predictions, root: Path, labels: Sequence[str]) -> None:
    """Write the columns path (relative to `root`), split, true, predicted, and one probability a class."""
    text = io.StringIO(newline="")
    out = csv.writer(text)
    out.writerow(["path", "split", "true", "predicted", *map(cell, labels)])
    for photo, row in zip(predictions.photos, predictions.probabilities, strict=True):
        names = (cell(labels[photo.label]), cell(labels[int(row.argmax())]))
        out.writerow([path_cell(photo.path, root), photo.split, *names, *(f"{value:.6f}" for value in row)])
    publish_bytes(file, text.getvalue().encode("utf-8", "surrogateescape"))
