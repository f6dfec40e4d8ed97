"""Predictions as CSV, one photo a line, safe to open in a spreadsheet."""

import csv
import io
import os
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from common.publish import publish_bytes
from common.text import cell, path_cell
from training.dataset.digests import SIZE, Digests
from training.dataset.layout import Photo
from training.errors import RunError
from training.measure.metrics import Floats

ROUNDING = 5e-7  # half of the last digit in the file: a probability written as 0 may be larger than 0
_FIRST = ("path", "split", "true", "predicted")
_LEARNT = "learnt"
_HASH = "sha256"
_WORDS = {"yes": True, "no": False}


@dataclass(frozen=True)
class Predictions:
    """Photos and what was predicted for them.

    Attributes:
        photos: the photos.
        probabilities: [N, classes], the honest ones, by a model that did not learn from the photo. All figures and
            thresholds come from them.
        final: [N, classes], of the final model, which may have learnt from the photo; None if `probabilities` are its.
        hashes: SHA-256 of each photo; None if they are unknown.
        learnt: bool [N], whether the final model may have learnt from the photo or from a near copy; None if unknown.
    """

    photos: tuple[Photo, ...]
    probabilities: Floats
    final: Floats | None = None
    hashes: Digests | None = None
    learnt: NDArray[np.bool_] | None = None

    @property
    def true(self) -> NDArray[np.int64]:
        return np.array([photo.label for photo in self.photos], np.int64)

    @property
    def of_final_model(self) -> Floats:
        """[N, classes], the probabilities that the final model gives."""
        return self.probabilities if self.final is None else self.final

    def of(self, split: str) -> "Predictions":
        """Those of one split."""
        return self._take(np.flatnonzero([photo.split == split for photo in self.photos]))

    def never_learnt(self) -> "Predictions | None":
        """Those of photos that the final model has not learnt from; None if that is unknown."""
        return None if self.learnt is None else self._take(np.flatnonzero(~self.learnt))

    def _take(self, chosen: NDArray[np.int64]) -> "Predictions":
        return Predictions(
            tuple(self.photos[number] for number in chosen),
            self.probabilities[chosen],
            None if self.final is None else self.final[chosen],
            None if self.hashes is None else self.hashes.take(chosen),
            None if self.learnt is None else self.learnt[chosen],
        )


def write_predictions(file: Path, predictions: Predictions, root: Path, labels: Sequence[str]) -> None:
    """Write path (relative to `root`), split, true, predicted, and one probability a class.

    Further columns follow where they are known: `final CLASS`, the probability that the final model gives, for each
    class, `learnt` (yes or no), whether the final model may have learnt from the photo, and `sha256` of the photo.
    """
    text = io.StringIO(newline="")
    out = csv.writer(text)
    columns = _Columns(
        len(labels), *(part is not None for part in (predictions.final, predictions.learnt, predictions.hashes))
    )
    out.writerow(columns.header(labels))
    for number, (photo, row) in enumerate(zip(predictions.photos, predictions.probabilities, strict=True)):
        names = (cell(labels[photo.label]), cell(labels[int(row.argmax())]))
        last = () if predictions.final is None else predictions.final[number]
        learnt = () if predictions.learnt is None else ("yes" if predictions.learnt[number] else "no",)
        digest = () if predictions.hashes is None else (predictions.hashes[number].hex(),)
        values = (f"{value:.6f}" for value in (*row, *last))
        out.writerow([path_cell(photo.path, root), photo.split, *names, *values, *learnt, *digest])
    publish_bytes(file, text.getvalue().encode("utf-8", "surrogateescape"))


def read_predictions(file: Path, root: Path, labels: Sequence[str]) -> Predictions:
    """Read predictions.csv, all splits; also one of an earlier version, without the further columns.

    Args:
        root: folder to which the paths are relative.
        labels: class names in the order of the columns.

    Raises:
        RunError: the file is missing or damaged, or has other classes.
    """
    try:
        with file.open(encoding="utf-8", errors="surrogateescape", newline="") as lines:
            rows = csv.reader(lines)
            header = next(rows, [])
            further = header[len(_FIRST) + len(labels) :]
            finals = further[: len(labels)] == _finals(labels)
            rest = further[len(labels) :] if finals else further
            columns = _Columns(len(labels), finals, rest[:1] == [_LEARNT], rest[-1:] == [_HASH])
            named = header[len(_FIRST) : len(_FIRST) + len(labels)]
            if sorted(named) == sorted(map(cell, labels)) and named != [*map(cell, labels)]:
                number = next(i for i, label in enumerate(labels) if named[i] != cell(label))
                raise ValueError(
                    f"its class {number + 1} is {named[number]!r}, but that of the run is {labels[number]!r}: labels"
                    " were exchanged"
                )
            if header != columns.header(labels):
                raise ValueError("its columns are not those of this run")
            return _parse(rows, root, {cell(label): number for number, label in enumerate(labels)}, columns)
    except (OSError, KeyError, ValueError, IndexError, csv.Error) as error:
        raise RunError(f"{file} is missing or damaged ({error}). Train or evaluate again.") from error


@dataclass(frozen=True)
class _Columns:
    """Which of the further columns a file has."""

    classes: int
    finals: bool
    learnt: bool
    hashes: bool

    def header(self, labels: Sequence[str]) -> list[str]:
        finals = _finals(labels) if self.finals else ()
        last = [name for name, there in ((_LEARNT, self.learnt), (_HASH, self.hashes)) if there]
        return [*_FIRST, *map(cell, labels), *finals, *last]

    @property
    def probabilities(self) -> int:
        return self.classes * (1 + self.finals)


def _finals(labels: Sequence[str]) -> list[str]:
    return [f"final {label}" for label in labels]


def _parse(rows: Iterable[list[str]], root: Path, index: dict[str, int], columns: _Columns) -> Predictions:
    photos: list[Photo] = []
    given, predicted, hashes = array("d"), array("q"), bytearray()  # 8 bytes a number, because there may be a million
    learnt = bytearray()
    end = len(_FIRST) + columns.probabilities
    for row in rows:
        if len(row) != end + columns.learnt + columns.hashes:
            raise ValueError("a line is too short or too long")
        photos.append(Photo(Path(os.path.normpath(root / row[0])), index[row[2]], row[1]))
        predicted.append(index[row[3]])
        given.extend(map(float, row[len(_FIRST) : end]))
        learnt += bytes([_WORDS[row[end]]]) if columns.learnt else b""
        hashes += bytes.fromhex(row[-1]).ljust(SIZE, b"\0") if columns.hashes else b""
    if not photos:
        raise ValueError("it holds no photos")
    values = np.frombuffer(given, np.float64).reshape(len(photos), -1)
    if not np.isfinite(values).all() or (values < 0).any():
        raise ValueError("it holds probabilities that are none")
    return Predictions(
        tuple(photos),
        _restored(values[:, : columns.classes], np.frombuffer(predicted, np.int64)),
        _positive(values[:, columns.classes :]) if columns.finals else None,
        Digests(np.frombuffer(hashes, np.uint8).reshape(len(photos), SIZE)) if columns.hashes else None,
        np.frombuffer(learnt, np.bool_) if columns.learnt else None,
    )


def _restored(given: NDArray[np.float64], predicted: NDArray[np.int64]) -> NDArray[np.float64]:
    """Undo effects of rounding to six digits: zeros, sums that are not 1, and ties with the predicted class."""
    places = np.arange(len(given))
    restored = np.maximum(given, ROUNDING)
    if (given.max(axis=1) - given[places, predicted] > 3 * ROUNDING).any():
        raise ValueError("a photo is predicted as a class that is not its most probable one")
    restored[places, predicted] = np.maximum(restored[places, predicted], restored.max(axis=1) + ROUNDING / 10)
    return _positive(restored)


def _positive(given: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities above 0 that add up to 1."""
    above = np.maximum(given, ROUNDING)
    return np.asarray(above / above.sum(axis=1, keepdims=True))
