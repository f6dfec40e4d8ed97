"""Suspected wrong labels: photos of which a classifier that never saw them is sure that they show another class.

A logistic regression on the features of the frozen network is trained several times, each time without a part of the
photos (twins together), and asked about that part. Confident learning then tells doubtful labels from hard photos.
Source: C. Northcutt, L. Jiang, I. Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels", 2021, by
the authors' library, cleanlab.
"""

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.check.kinds import Finding, Kind
from training.dataset.cache import decode_all
from training.dataset.layout import Dataset
from training.dataset.samples import Samples
from training.errors import DatasetError
from training.progress import Reporter
from training.recipe.recipe import Recipe, recipe_of
from training.run import Run

FOLDS = 5
LEARNT_FROM = 50_000  # photos of a fold at most: 0.3 GB of features, and more do not make a linear head better
INVERSE_PENALTY = 0.03  # of 0.03 and 0.3 the better on the scene photos: log loss 0.29 against 0.41
ITERATIONS = 100
BLOCK = 4096  # photos whose features are in memory at once


def suspects(dataset: Dataset, groups: NDArray[np.int64], run: Run, reporter: Reporter) -> list[Finding]:
    """Photos whose label is doubtful, the surest doubts first. Test photos are neither learnt from nor judged.

    Args:
        groups: int64 [N], group of twins of each photo of the dataset. run: gives the network and its input.

    Raises:
        DatasetError: the run knows other classes. WeightsError: its initial weights are not at hand.
    """
    if dataset.labels != run.labels:
        raise DatasetError(
            f"The run {run.path} knows the classes {', '.join(run.labels)}; {dataset.root} holds"
            f" {', '.join(dataset.labels)}. Pass a run that was trained on these classes."
        )
    chosen = _to_judge(dataset, groups)
    samples, numbers = _samples(dataset, chosen, run, reporter)
    if len(numbers) < 2 * FOLDS:
        raise DatasetError(f"{len(numbers)} readable photos are too few to find wrong labels; {2 * FOLDS} are needed.")
    features = _features(samples, run, reporter)
    with reporter.work("Judging labels", len(numbers)) as tick:
        answers = np.zeros((len(numbers), len(dataset.labels)), np.float32)
        for part, probabilities in _out_of_fold(features, samples.labels, groups[numbers], len(dataset.labels)):
            answers[part] = probabilities
            tick(len(part))
    return [_finding(dataset, int(numbers[n]), answers[n]) for n in _doubtful(samples.labels, answers)]


def _to_judge(dataset: Dataset, groups: NDArray[np.int64]) -> list[int]:
    """Photos to train and validate on, without the twins of photos to check with: what `train` uses, in its order."""
    held = {group for group, photo in zip(groups, dataset.photos, strict=True) if photo.split in ("val", "test")}
    return [
        number
        for number, photo in enumerate(dataset.photos)
        if photo.split == "val" or (photo.split != "test" and groups[number] not in held)
    ]


def _samples(
    dataset: Dataset, chosen: Sequence[int], run: Run, reporter: Reporter
) -> tuple[Samples, NDArray[np.int64]]:
    """The readable ones of the chosen photos, decoded for the run's network, and their numbers in the dataset."""
    photos = tuple(dataset.photos[number] for number in chosen)
    with reporter.work("Decoding", len(photos)) as tick:
        decoded = decode_all([photo.path for photo in photos], run.geometry, tick)
    good = np.flatnonzero(decoded.rows >= 0)
    samples = Samples(photos, decoded.rows, decoded.hashes, decoded.pixels).take(good.tolist())
    return samples, np.asarray(chosen, np.int64)[good]


def _features(samples: Samples, run: Run, reporter: Reporter) -> NDArray[np.float32]:
    """Features of the network as the run's training found it, float32 [N, F]: it has not seen these labels yet."""
    from training.network.device import start_keras

    start_keras()
    from training.network.features import features_of
    from training.network.network import build
    from training.network.weights import features_origin, find_weights, sha256_of

    recipe = _base(run)
    if recipe.weights == "none":
        reporter.say(
            "The run began with random weights, so its trained network is used, which has seen these labels:"
            " some wrong ones it knows by heart, and they are missed."
        )
        return features_of(run.load_keras(), samples, "", reporter)
    file: Path = find_weights(recipe.backbone)
    # As training names them, so that what it computed is found again.
    origin = features_origin(recipe, sha256_of(file))
    return features_of(build(recipe, len(run.labels), file), samples, origin, reporter)


def _base(run: Run) -> Recipe:
    """The recipe of the run's network up to its features, also of a run whose other settings are no longer known."""
    kept = ("backbone", "weights", "input")
    return recipe_of({name: run.recipe[name] for name in kept if name in run.recipe})


def _out_of_fold(
    features: NDArray[np.float32], labels: NDArray[np.int64], groups: NDArray[np.int64], classes: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """Each fold's photos, and the probabilities [n, classes] that a head trained without them gives them."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    folds = fold_of(labels, groups)
    for fold in range(FOLDS):
        own, others = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        learnt = np.sort(np.random.default_rng(fold).permutation(others)[:LEARNT_FROM])
        head = LogisticRegression(C=INVERSE_PENALTY, max_iter=ITERATIONS)
        # Products this small are no faster on two threads, and on busy cores those wait for each other: 57 s for 9.
        with warnings.catch_warnings(), threadpool_limits(1):
            warnings.simplefilter("ignore", ConvergenceWarning)  # the last digits of the optimum change no order
            head.fit(features[learnt], labels[learnt])
        for start in range(0, len(own), BLOCK):
            block = own[start : start + BLOCK]
            probabilities = np.zeros((len(block), classes), np.float32)
            probabilities[:, head.classes_] = head.predict_proba(features[block])
            yield block, probabilities


def fold_of(labels: NDArray[np.int64], groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """The fold of each photo, int64 [N]: twins in one fold, and every class dealt evenly over the folds."""
    _, first, member = np.unique(groups, return_index=True, return_inverse=True)
    mixed = np.random.default_rng(0).permutation(len(first))
    order = mixed[np.argsort(labels[first][mixed], kind="stable")]
    folds = np.empty(len(first), np.int64)
    folds[order] = np.arange(len(first)) % FOLDS
    return np.asarray(folds[member], np.int64)


def _doubtful(labels: NDArray[np.int64], answers: NDArray[np.float32]) -> NDArray[np.int64]:
    """Places of the photos with a doubtful label, the surest doubts first.

    Classes with fewer photos than folds are left out: where none of a kind is learnt, each of it looks wrong.
    """
    from cleanlab.filter import find_label_issues

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that small classes are judged mildly
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
    words = f"in {facts['given']}, looks like {facts['suggested']} ({answer[other]:.1%} against {answer[own]:.1%})"
    return Finding(Kind.SUSPECT, (number,), words, facts)
