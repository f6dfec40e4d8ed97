"""Prepare a dataset: find and decode the photos, find near duplicates, and assign each photo to a split."""

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.text import printable
from contract.geometry import Geometry
from training.dataset.cache import cache_folder, decode_all
from training.dataset.decode_result import DecodedDataset, DecodeResult
from training.dataset.groups.assign import assign_splits, by_label
from training.dataset.groups.collected import find_from_web
from training.dataset.groups.named import NamedGroups
from training.dataset.groups.together import find_groups
from training.dataset.labelled.labelled import Labelled
from training.dataset.labelled.merge import merge, with_labels
from training.dataset.layout import Dataset, Photo, find_dataset
from training.dataset.near_duplicates import find_near_duplicates
from training.dataset.samples import Samples
from training.dataset.unlabelled.unlabelled import Unlabelled, pool_beside
from training.errors import DatasetError
from training.progress import Reporter
from training.recipe.recipe import Recipe

Describe = Callable[[Samples], NDArray[np.float32]]
"""Gives the broad features of photos, float32 [N, F]."""

SHOWN = 10  # unreadable photos named one by one; the rest is counted


@dataclass(frozen=True)
class PreparedData:
    """The input of a training.

    Attributes:
        samples: all photos at the input size.
        learning: training photos at the size of fine-tuning.
        unreadable: number of unreadable photos.
        found: all photos of the dataset after decoding.
        kept: int64 [N], place of each sample in `found`.
        together: for each photo of `found`, the number of its group whose photos stay on one side.
        named: the groups that the user named; None if there was no file of them.
        held_out: whether a person's label of each sample is held out, so that no head learns from it, bool [N].
        labelled: what people said of photos; None without labels.
        unlabelled: photos beside the dataset that have no label, and are in no split; None if none were given.
        from_web: photos to train with that were collected, by licence, and what is owed; empty if there are none.
    """

    dataset: Dataset
    samples: Samples
    learning: Samples
    unreadable: int
    found: DecodedDataset
    kept: NDArray[np.int64]
    together: NDArray[np.int64]
    held_out: NDArray[np.bool_]
    named: NamedGroups | None = None
    labelled: Labelled | None = None
    unlabelled: Unlabelled | None = None
    from_web: Mapping[str, Any] = field(default_factory=dict)

    @property
    def groups(self) -> NDArray[np.int64]:
        """Number of each sample's group, whose photos stay on one side, int64 [N]."""
        return self.together[self.kept]

    def data_hash(self) -> str:
        """SHA-256 over path, content and split of each sample in order; equal for equal training data."""
        total = hashlib.sha256()
        for photo, digest in zip(self.samples.photos, self.samples.hashes, strict=True):
            name = os.fsencode(os.path.relpath(photo.path, self.dataset.root))
            total.update(b"\0".join((name, photo.split.encode(), digest.hex().encode())) + b"\n")
        if self.labelled is not None:  # the classes of its photos are not in their paths
            total.update(self.labelled.sha256.encode())
        if self.unlabelled is not None:
            total.update(self.unlabelled.sha256.encode())
        return total.hexdigest()


def prepare(
    root: Path | None,
    test: Path | None,
    recipe: Recipe,
    reporter: Reporter,
    hold_out_from: int = 0,
    describe: Describe | None = None,
    named: Path | None = None,
    labels: Path | None = None,
    unlabelled: Path | None = None,
) -> PreparedData:
    """Find, decode and split the photos of a dataset.

    Args:
        root: folder of the dataset; None where `labels` are all there is.
        test: a folder of additional test photos.
        hold_out_from: photos from which some are held out to validate; of fewer, all train unless a folder validates.
        describe: describes all readable photos, so that moved, mirrored, cropped and brightened copies are found.
        named: CSV file of photos that stay on one side of a split (training.dataset.groups.named).
        labels: what people said of photos, as `phototriage labels export` writes it. They join those of the dataset.
        unlabelled: folder of photos without labels, for a recipe with pseudo-labels; it takes `describe`.

    Raises:
        DatasetError: there is nothing to train on, or a row of `named` or of `labels` is wrong.
        ContractError: a class name cannot be a folder.
    """
    dataset, labelled, pool = _found(root, labels, reporter), None, None
    if labels is not None:
        dataset, labelled = with_labels(dataset, labels, _geometry(recipe, recipe.input.size_px), reporter)
    recipe.check_classes(dataset.labels)
    photos = [*dataset.photos, *_further_tests(test, dataset, reporter)]
    own = len(photos)
    photos += () if labelled is None else labelled.photos
    decoded = _decode(photos, recipe, recipe.input.size_px, reporter)
    _report_failures(decoded, reporter)
    good = np.flatnonzero(decoded.rows >= 0)
    good = good if labelled is None else merge(photos, own, decoded.hashes, good, labelled, reporter)
    found = _compared(photos, decoded, good, describe, reporter)
    if unlabelled is not None and describe is not None:  # pseudo-labels are refused where nothing is described
        geometry = _geometry(recipe, recipe.input.size_px)
        pool = pool_beside(found, unlabelled, geometry, recipe.seed, describe, labelled, reporter)
    groups = find_groups(found.samples.photos, found.groups, found.captures, dataset, named, reporter)
    web = find_from_web(dataset.root, found.samples)
    said = by_label(found.samples.hashes, labelled, web.places)
    samples, kept = assign_splits(found.samples, groups, dataset.labels, recipe, reporter, hold_out_from, said)
    _report_split(samples, len(found.groups) - len(set(found.groups)), reporter)
    return PreparedData(
        dataset=dataset,
        samples=samples,
        learning=_training_samples(samples.of("train"), recipe, reporter),
        unreadable=len(decoded.failures),
        found=found,
        kept=kept,
        together=groups.together,
        held_out=said.held_out[kept],
        named=groups.named,
        labelled=labelled,
        unlabelled=pool,
        from_web=web.facts(found.samples, kept),
    )


def _found(root: Path | None, labels: Path | None, reporter: Reporter) -> Dataset:
    """The dataset; one without classes and photos, beside the labels, if these are all there is."""
    if root is None:
        assert labels is not None  # or there would be nothing to train on
        return Dataset(labels.parent, (), (), "labels alone")
    dataset = find_dataset(root)
    reporter.say(dataset.sentence())
    return dataset


def _further_tests(test: Path | None, dataset: Dataset, reporter: Reporter) -> Iterator[Photo]:
    """The photos of a folder of additional test photos, without those that the dataset has to test."""
    if test is None:
        return
    apart = find_dataset(test, dataset.labels)
    reporter.say(f"Test photos: {apart.sentence()}")
    known = {photo.path.resolve() for photo in dataset.of("test")}
    for photo in apart.of("test") or apart.photos:
        if photo.path.resolve() not in known:
            yield photo.on("test")


def _geometry(recipe: Recipe, size_px: int) -> Geometry:
    return Geometry(recipe.input.geometry, size_px)


def _decode(photos: Sequence[Photo], recipe: Recipe, size_px: int, reporter: Reporter) -> DecodeResult:
    geometry = _geometry(recipe, size_px)
    with reporter.work(f"Decoding to {size_px} px", len(photos)) as tick:
        decoded = decode_all((photo.path for photo in photos), geometry, tick)
    for note in decoded.notes:
        reporter.say(note)
    place = cache_folder(geometry)
    reporter.say(f"The cache of decoded photos is {place}; {decoded.fresh} of {len(photos)} photos were decoded now.")
    return decoded


def _training_samples(train: Samples, recipe: Recipe, reporter: Reporter) -> Samples:
    """The training photos at the size of fine-tuning."""
    if recipe.training_px == recipe.input.size_px:
        return train
    decoded = _decode(train.photos, recipe, recipe.training_px, reporter)
    good = np.flatnonzero(decoded.rows >= 0)  # a photo may have been removed since
    return replace(train, rows=decoded.rows, pixels=decoded.pixels).take(good)


def _compared(
    photos: list[Photo],
    decoded: DecodeResult,
    good: NDArray[np.int64],
    describe: Describe | None,
    reporter: Reporter,
) -> DecodedDataset:
    """The readable photos that take part, described and searched for near duplicates."""
    if not len(good):
        raise DatasetError("None of the photos can be read. Check that a picture viewer can open them.")
    samples = Samples(tuple(photos), decoded.rows, decoded.hashes, decoded.pixels).take(good)
    hashes = decoded.difference_hashes[good]
    features = None if describe is None else describe(samples)
    if features is None:
        reporter.say("Without broad features, moved, mirrored and cropped copies are not looked for.")
    groups = find_near_duplicates(samples.hashes, hashes, samples.rows, samples.pixels, features)
    return DecodedDataset(samples, groups, hashes, decoded.failures, decoded.captures[good], features)


def _report_split(samples: Samples, copies: int, reporter: Reporter) -> None:
    counts = Counter(photo.split for photo in samples.photos)
    kept = f" {copies} near duplicates stay in the split of their first copy." if copies else ""
    test = f", {counts['test']} to test" if counts["test"] else ""
    judged = f"{counts['val']} to validate" if counts["val"] else "all of them judge in turn what has not seen them"
    reporter.say(f"{counts['train']} photos to train, {judged}{test}.{kept}")


def _report_failures(decoded: DecodeResult, reporter: Reporter) -> None:
    for path, reason in decoded.failures[:SHOWN]:
        reporter.say(f"Left out: {printable(path)}: {reason}")
    if len(decoded.failures) > SHOWN:
        reporter.say(f"Left out: {len(decoded.failures) - SHOWN} more unreadable photos.")
