"""Suspected wrong labels: a classifier that never saw the photo is sure of another class.

The head that training fits, a logistic regression on features of unit length, is fitted once per fold, without the
photos of the fold, and then predicts these photos. Near duplicates are in the same fold. Confident learning separates
wrong labels from hard photos. Source: C. Northcutt, L. Jiang, I. Chuang, "Confident Learning: Estimating Uncertainty in
Dataset Labels", 2021, with the library of the authors, cleanlab.
"""

import warnings
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from training.check.held_out import describe_suspect
from training.check.kinds import Finding, Kind
from training.dataset.cache import decode_all
from training.dataset.layout import Dataset
from training.dataset.samples import Samples
from training.errors import DatasetError
from training.fit.regression import fit_head
from training.measure.metrics import softmax
from training.network.broad_network import unit_length
from training.progress import Reporter
from training.recipe.recipe import Recipe, recipe_of
from training.run import Run

FOLDS = 5
LEARNT_FROM = 50_000  # most photos per fold: 0.3 GB of features, and more do not improve a linear head
C = 10.0  # names a tenth to a fifth fewer right labels than 30, and as many wrong ones (docs/measurements.md)
BLOCK = 4096  # photos whose features are in memory at once


def find_suspect_labels(dataset: Dataset, groups: NDArray[np.int64], run: Run, reporter: Reporter) -> list[Finding]:
    """Photos with a suspected wrong label, the most certain first. Test photos are not used.

    Args:
        groups: int64 [N], group of near duplicates of each photo of the dataset.
        run: defines the network and its input.

    Raises:
        DatasetError: the run has other classes, or too few photos can be read.
        WeightsError: the initial weights of the run are missing.
    """
    if dataset.labels != run.labels:
        raise DatasetError(
            f"The run {run.path} has the classes {', '.join(run.labels)}, but {dataset.root} holds"
            f" {', '.join(dataset.labels)}. Pass a run that was trained on these classes."
        )
    chosen = _photos_to_judge(dataset, groups)
    samples, numbers = _samples(dataset, chosen, run, reporter)
    if len(numbers) < 2 * FOLDS:
        raise DatasetError(
            f"{len(numbers)} readable photos are too few to find wrong labels: at least {2 * FOLDS} are needed."
        )
    features = _features(samples, run, reporter)
    with reporter.work("Judging labels", len(numbers)) as tick:
        answers = np.zeros((len(numbers), len(dataset.labels)), np.float32)
        for part, probabilities in _out_of_fold(features, samples.labels, groups[numbers], len(dataset.labels)):
            answers[part] = probabilities
            tick(len(part))
    return [_finding(dataset, int(numbers[n]), answers[n]) for n in _label_issues(samples.labels, answers)]


def _photos_to_judge(dataset: Dataset, groups: NDArray[np.int64]) -> list[int]:
    """Training and validation photos, without training photos that duplicate held-out ones, as `train` orders them."""
    held = {group for group, photo in zip(groups, dataset.photos, strict=True) if photo.split in ("val", "test")}
    return [
        number
        for number, photo in enumerate(dataset.photos)
        if photo.split == "val" or (photo.split != "test" and groups[number] not in held)
    ]


def _samples(
    dataset: Dataset, chosen: Sequence[int], run: Run, reporter: Reporter
) -> tuple[Samples, NDArray[np.int64]]:
    """The readable chosen photos, decoded for the network of the run, and their indices in the dataset."""
    photos = tuple(dataset.photos[number] for number in chosen)
    with reporter.work("Decoding", len(photos)) as tick:
        decoded = decode_all([photo.path for photo in photos], run.geometry, tick)
    good = np.flatnonzero(decoded.rows >= 0)
    samples = Samples(photos, decoded.rows, decoded.hashes, decoded.pixels).take(good.tolist())
    return samples, np.asarray(chosen, np.int64)[good]


def _features(samples: Samples, run: Run, reporter: Reporter) -> NDArray[np.float32]:
    """Features of the network with its initial weights, float32 [N, F], because it has not seen these labels."""
    from training.network.device import start_keras

    start_keras()
    from training.network.features import features_of
    from training.network.network import build
    from training.network.weights import features_origin, initial_weights

    recipe = _network_recipe(run)
    weights = initial_weights(recipe)
    if weights is None:
        reporter.say(
            "The run started with random weights, so its trained network is used. That network has seen these labels"
            " and may have memorised wrong ones, so some are missed."
        )
        return features_of(run.load_keras(), samples, "", reporter)
    # The same key as in training, so that its cached features are found.
    origin = features_origin(recipe, weights.sha256)
    return features_of(build(recipe, len(run.labels), weights.file), samples, origin, reporter)


def _network_recipe(run: Run) -> Recipe:
    """The recipe of the network up to its features; it works even if other settings of the run are unknown now."""
    kept = ("backbone", "weights", "input")
    return recipe_of({name: run.recipe[name] for name in kept if name in run.recipe})


def _out_of_fold(
    features: NDArray[np.float32], labels: NDArray[np.int64], groups: NDArray[np.int64], classes: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """Yield the photos of each fold with their probabilities [n, classes], from a head trained without them."""
    folds = fold_of(labels, groups)
    for fold in range(FOLDS):
        own, others = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        learnt = np.sort(np.random.default_rng(fold).permutation(others)[:LEARNT_FROM])
        head = fit_head(unit_length(features[learnt]), labels[learnt], classes, C)
        for start in range(0, len(own), BLOCK):
            block = own[start : start + BLOCK]
            yield block, softmax(head.logits(unit_length(features[block])))


def fold_of(labels: NDArray[np.int64], groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """The fold of each photo, int64 [N]. Near duplicates share a fold, and each class is spread evenly."""
    _, first, member = np.unique(groups, return_index=True, return_inverse=True)
    mixed = np.random.default_rng(0).permutation(len(first))
    order = mixed[np.argsort(labels[first][mixed], kind="stable")]
    folds = np.empty(len(first), np.int64)
    folds[order] = np.arange(len(first)) % FOLDS
    return np.asarray(folds[member], np.int64)


def _label_issues(labels: NDArray[np.int64], answers: NDArray[np.float32]) -> NDArray[np.int64]:
    """Indices of the photos with a suspected wrong label, the most certain first.

    Classes with fewer photos than folds are left out: a class that is not learnt looks wrong on every photo.
    """
    from cleanlab.filter import find_label_issues

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # cleanlab warns about small classes
        found = find_label_issues(labels, answers, return_indices_ranked_by="normalized_margin", n_jobs=1)
    doubtful: NDArray[np.int64] = np.asarray(found, np.int64)
    enough: NDArray[np.bool_] = np.bincount(labels)[labels[doubtful]] >= FOLDS
    return doubtful[enough]


def _finding(dataset: Dataset, number: int, answer: NDArray[np.float32]) -> Finding:
    own, other = dataset.photos[number].label, int(answer.argmax())
    facts = {
        "given": dataset.labels[own],
        "suggested": dataset.labels[other],
        "probability": round(float(answer[other]), 4),
        "given_probability": round(float(answer[own]), 4),
    }
    return Finding(Kind.SUSPECT, (number,), describe_suspect(answer, own, dataset.labels), facts)
