"""From folders to samples: found, decoded, unreadable ones set apart, twins found, and every photo on one side."""

import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from contract.geometry import Geometry
from contract.text import printable
from training.dataset.cache import Decoded, cache_folder, decode_all
from training.dataset.layout import Dataset, Photo, find_dataset
from training.dataset.near_duplicates import find_twins
from training.dataset.samples import Samples
from training.dataset.split import split_groups
from training.errors import DatasetError
from training.progress import Reporter
from training.recipe.recipe import Recipe

SHOWN = 10  # unreadable photos named one by one; the rest is counted


@dataclass(frozen=True)
class Found:
    """A dataset as it was decoded, before anything is left out.

    samples: the readable photos, test photos included. twins: group number of each. looks: its difference hash.
    failures: (path, reason) of the others.
    """

    samples: Samples
    twins: Sequence[int]
    looks: NDArray[np.uint64]
    failures: Sequence[tuple[Path, str]]


@dataclass(frozen=True)
class Prepared:
    """What a training starts from.

    samples: every photo, at the size of the input. learning: those to train on, at the size of fine-tuning.
    unreadable: how many photos were left out for that. found: every photo of the dataset as it was decoded.
    """

    dataset: Dataset
    samples: Samples
    learning: Samples
    unreadable: int
    found: Found

    def data_hash(self) -> str:
        """SHA-256 over path, content and side of each sample, in order: equal for equal training data."""
        total = hashlib.sha256()
        for photo, digest in zip(self.samples.photos, self.samples.hashes, strict=True):
            name = os.fsencode(os.path.relpath(photo.path, self.dataset.root))
            total.update(b"\0".join((name, photo.split.encode(), digest.hex().encode())) + b"\n")
        return total.hexdigest()


def prepare(root: Path, test: Path | None, recipe: Recipe, reporter: Reporter) -> Prepared:
    """Find, decode and part the photos of a dataset.

    Args:
        test: a folder of photos to report on at the end, beside those of the dataset's own test folder.

    Raises:
        DatasetError: there is nothing to train on. ContractError: a class name cannot be a folder.
    """
    dataset = find_dataset(root)
    recipe.check_classes(dataset.labels)
    reporter.say(dataset.sentence())
    photos = list(dataset.photos)
    if test is not None:
        apart = find_dataset(test, dataset.labels)
        reporter.say(f"Test photos, only reported on: {apart.sentence()}")
        known = {photo.path.resolve() for photo in dataset.of("test")}
        chosen = (photo for photo in apart.of("test") or apart.photos if photo.path.resolve() not in known)
        photos += [photo.on("test") for photo in chosen]
    decoded = _decode(photos, recipe, recipe.input.size_px, reporter)
    _tell_failures(decoded, reporter)
    samples, twins = _readable(photos, decoded)
    found = Found(samples, twins, decoded.looks[decoded.rows >= 0], decoded.failures)
    samples = _sided(samples, twins, dataset.labels, recipe, reporter)
    learning = _learning(samples.of("train"), recipe, reporter)
    return Prepared(dataset, samples, learning, len(decoded.failures), found)


def _decode(photos: Sequence[Photo], recipe: Recipe, size_px: int, reporter: Reporter) -> Decoded:
    geometry = Geometry(recipe.input.geometry, size_px)
    with reporter.work(f"Decoding to {size_px} px", len(photos)) as tick:
        decoded = decode_all((photo.path for photo in photos), geometry, tick)
    place = cache_folder(geometry)
    reporter.say(f"Decoded photos are kept in {place}; {decoded.fresh} of {len(photos)} were decoded now.")
    return decoded


def _learning(train: Samples, recipe: Recipe, reporter: Reporter) -> Samples:
    """The photos to train on, at the size of fine-tuning."""
    if recipe.training_px == recipe.input.size_px:
        return train
    decoded = _decode(train.photos, recipe, recipe.training_px, reporter)
    good = np.flatnonzero(decoded.rows >= 0)  # one may have gone since
    return replace(train, rows=decoded.rows, pixels=decoded.pixels).take(good)


def _readable(photos: list[Photo], decoded: Decoded) -> tuple[Samples, list[int]]:
    good = np.flatnonzero(decoded.rows >= 0)
    if not len(good):
        raise DatasetError("None of the photos can be read. Check that they open in a picture viewer.")
    samples = Samples(tuple(photos), decoded.rows, decoded.hashes, decoded.pixels).take(good)
    return samples, find_twins(samples.hashes, decoded.looks[good], samples.rows, samples.pixels)


def _sided(samples: Samples, twins: list[int], labels: tuple[str, ...], recipe: Recipe, reporter: Reporter) -> Samples:
    """Split what has no side yet, and take out of training what has a twin among the photos to check with."""
    checked = np.array([photo.split in ("val", "test") for photo in samples.photos])
    groups = np.array(twins)
    free = np.flatnonzero(~checked & ~np.isin(groups, groups[checked]))
    leaks = len(groups) - int(checked.sum()) - len(free)
    if leaks:
        reporter.say(f"{leaks} training photos are left out: the same photos stand among those to check with.")
    if not any(photo.split == "val" for photo in samples.photos):
        sides = split_groups(samples.labels[free], groups[free], recipe.validation, recipe.seed, labels)
    else:
        sides = ["train"] * len(free)
        _check_classes(samples.take(free), labels)
    photos = list(samples.photos)
    for number, side in zip(free, sides, strict=True):
        photos[number] = photos[number].on(side)
    checked[free] = True
    sided = replace(samples, photos=tuple(photos)).take(np.flatnonzero(checked))
    _tell_split(sided, len(twins) - len(set(twins)), reporter)
    return sided


def _check_classes(train: Samples, labels: tuple[str, ...]) -> None:
    seen = {photo.label for photo in train.photos}
    for index, label in enumerate(labels):
        if index not in seen:
            raise DatasetError(f"The class {label!r} has no readable training photos. Add some, or take the class out.")


def _tell_split(samples: Samples, twins: int, reporter: Reporter) -> None:
    counts = Counter(photo.split for photo in samples.photos)
    kept = f" {twins} photos have an earlier twin, and stay on its side." if twins else ""
    test = f", {counts['test']} only to report on" if counts["test"] else ""
    reporter.say(f"{counts['train']} photos to train on, {counts['val']} to check with{test}.{kept}")


def _tell_failures(decoded: Decoded, reporter: Reporter) -> None:
    for path, reason in decoded.failures[:SHOWN]:
        reporter.say(f"Left out: {printable(path)}: {reason}")
    if len(decoded.failures) > SHOWN:
        reporter.say(f"Left out: {len(decoded.failures) - SHOWN} more unreadable photos.")
