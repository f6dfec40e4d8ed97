"""Predictions as CSV, one photo a line, safe to open in a spreadsheet."""

import csv
import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from contract.publish import publish_bytes
from training.dataset.layout import Photo
from training.measure.metrics import Floats

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "'")


@dataclass(frozen=True)
class Predictions:
    """Photos and the probabilities that a model gave them, [N, classes]."""

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


def read_photos(file: Path, root: Path, labels: Sequence[str], split: str) -> Iterator[tuple[Path, int]]:
    """Path and class index of each photo of one split, as `write_predictions` wrote them."""
    index = {cell(label): number for number, label in enumerate(labels)}
    with file.open(encoding="utf-8", errors="surrogateescape", newline="") as lines:
        for row in csv.DictReader(lines):
            if row["split"] == split:
                yield Path(os.path.normpath(root / row["path"])), index[row["true"]]


def cell(text: str) -> str:
    """The text as a cell that no spreadsheet takes for a formula; two texts never become one."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def path_cell(path: Path, root: Path) -> str:
    """A path relative to `root`, which begins with a dot where it would begin like a formula."""
    relative = os.path.relpath(path, root)
    return f"./{relative}" if relative.startswith(_FORMULA) else relative
