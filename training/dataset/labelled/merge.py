"""Put what people said onto the photos of a dataset: a label goes before the folder in which a photo lies."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from common.text import printable
from contract.geometry import Geometry
from contract.labels import Side
from training.dataset.digests import Digests
from training.dataset.labelled.labelled import NO_CLASS, Labelled, read_labelled, split_of
from training.dataset.layout import Dataset, Photo
from training.errors import DatasetError
from training.progress import Reporter

Ints = NDArray[np.int64]


def with_labels(dataset: Dataset, labels: Path, geometry: Geometry, reporter: Reporter) -> tuple[Dataset, Labelled]:
    """Read labels, and give the dataset their classes besides its own; raises as `read_labelled` does."""
    labelled = read_labelled(labels, dataset.labels, geometry, reporter)
    photos = renumbered(dataset.photos, dataset.labels, labelled)
    return replace(dataset, labels=labelled.labels, photos=tuple(photos)), labelled


def renumbered(photos: Sequence[Photo], labels: Sequence[str], labelled: Labelled) -> list[Photo]:
    """Photos of a dataset with the numbers that its classes have among those of dataset and labels.

    Args:
        labels: the classes of the dataset.
    """
    numbers = [labelled.labels.index(name) for name in labels]
    return [photo.of(numbers[photo.label]) for photo in photos]


def merge(
    photos: list[Photo], own: int, hashes: Digests, readable: Ints, labelled: Labelled, reporter: Reporter
) -> Ints:
    """Give photos of a dataset the class and the side that a person said, in place, and choose which take part.

    Validation and test photos of the dataset stay on their sides. A labelled photo of which the dataset has a copy is
    left out, because the copy follows its label.

    Args:
        photos: of the dataset, then the labelled ones.
        own: how many are of the dataset.
        hashes: SHA-256 of each.
        readable: places of those that can be read.

    Returns:
        The places of those that take part.

    Raises:
        DatasetError: no labelled photo can take part.
    """
    can_be_read = np.zeros(len(photos), np.bool_)
    can_be_read[readable] = True
    stays = can_be_read & (np.arange(len(photos)) < own)
    here, part = set[bytes](), set[bytes]()
    reclassed = 0
    for place, digest in labelled.found(hashes):  # in the order of places, so the dataset comes first
        if not can_be_read[place]:
            continue
        if place < own:
            here.add(digest)
            said = _as_said(photos[place], labelled.classes[digest], labelled.sides[digest])
            stays[place] = said is not None
            reclassed += said is not None and said.label != photos[place].label
            photos[place] = said or photos[place]
        else:
            stays[place] = digest not in here
        if stays[place]:
            part.add(digest)
    _say(labelled, len(part), reclassed, reporter)
    return np.flatnonzero(stays)


def _as_said(photo: Photo, label: int, side: Side) -> Photo | None:
    """The photo with the class and the side that a person said; None if it is used for nothing."""
    if label == NO_CLASS:
        return None
    if photo.split in ("val", "test"):
        return photo.of(label)
    if side is Side.NEITHER:
        return None
    return photo.of(label).on(split_of(side))


def _say(labelled: Labelled, part: int, reclassed: int, reporter: Reporter) -> None:
    new = f" New classes: {', '.join(map(printable, labelled.added))}." if labelled.added else ""
    reporter.say(f"{part:,} of {len(labelled.classes):,} labels of {printable(labelled.name)} take part.{new}")
    if labelled.left_out:
        said = "; ".join(f"{count:,} {why}" for why, count in labelled.left_out.items())
        reporter.say(f"Labels without a photo that can be used: {said}.")
    if reclassed:
        reporter.say(f"{reclassed:,} photos of the dataset are of another class by their labels than by their folders.")
    if not part:
        raise DatasetError(
            f"No photo that {printable(labelled.name)} labels can take part. Label photos that are still there, export"
            " the labels again, or leave them out."
        )
