"""Let a model answer photos, and keep what it says of those that can be read."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from common.errors import PhotoError
from contract.geometry import Geometry
from training.dataset.decoding import decode, turn_of
from training.dataset.layout import Photo
from training.dataset.regular_file import regular_file_status
from training.errors import DatasetError
from training.measure.open_model import BATCH, Classifier, Given
from training.progress import Reporter


@dataclass(frozen=True)
class Answered:
    """Photos that could be read, with the answers for them, and those that could not."""

    photos: tuple[Photo, ...]
    given: Given
    unreadable: tuple[tuple[Path, str], ...]

    @property
    def labels(self) -> NDArray[np.int64]:
        """Class index of each photo, [N]."""
        return np.array([photo.label for photo in self.photos], np.int64)


def answer(photos: Sequence[Photo], classifier: Classifier, reporter: Reporter, folder: Path) -> Answered:
    """Classify photos.

    Args:
        folder: theirs, for the error.

    Raises:
        DatasetError: none of them can be read.
    """
    good: list[Photo] = []
    answers: list[Given] = []
    unreadable: list[tuple[Path, str]] = []
    with reporter.work("Classifying", len(photos)) as tick:
        for batch, images, failures in _decoded(photos, classifier.geometry):
            unreadable += failures
            good += batch
            if batch:
                answers.append(classifier.classify(images))
            tick(len(batch) + len(failures))
    if not good:
        raise DatasetError(
            f"None of the {len(photos)} photos under {folder} can be read. Check that a viewer can open them."
        )
    familiarity = [part.familiarity for part in answers if part.familiarity is not None]
    given = Given(
        np.concatenate([part.probabilities for part in answers]), np.concatenate(familiarity) if familiarity else None
    )
    return Answered(tuple(good), given, tuple(unreadable))


def _decoded(
    photos: Sequence[Photo], geometry: Geometry
) -> Iterator[tuple[list[Photo], NDArray[np.uint8], list[tuple[Path, str]]]]:
    """Yield batches of readable photos with their pixels, and the unreadable photos among them."""
    with ThreadPoolExecutor(len(os.sched_getaffinity(0)), "decode") as pool:
        for start in range(0, len(photos), BATCH):
            chunk = photos[start : start + BATCH]
            read = list(pool.map(lambda photo: _read(photo.path, geometry), chunk))
            good = [(photo, pixels) for photo, pixels in zip(chunk, read, strict=True) if not isinstance(pixels, str)]
            bad = [(photo.path, reason) for photo, reason in zip(chunk, read, strict=True) if isinstance(reason, str)]
            images = np.stack([pixels for _, pixels in good]) if good else np.empty((0,), np.uint8)
            yield [photo for photo, _ in good], images, bad


def _read(path: Path, geometry: Geometry) -> NDArray[np.uint8] | str:
    try:
        with turn_of(regular_file_status(path).st_size):
            return decode(path.read_bytes(), geometry)
    except PhotoError as error:
        return str(error)
    except OSError as error:
        return f"it could not be opened ({error.strerror})"
