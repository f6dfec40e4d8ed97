"""A model of classes of one's own from the broad network alone: a head on its features, in seconds, without Keras.

`train` reaches more from many photos, because it tunes a copy of the last blocks too (docs/measurements.md).
"""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from contract.metadata import Contract
from contract.session import read_model
from convert.stamp import versions
from learn.errors import LearnError
from learn.fitting.layer import Floats, Ints
from learn.label_file import Label
from learn.material import Say, broad_network_of, photo_features
from learn.model.base import Head, open_base
from learn.model.graph import Parts, with_fresh_head
from learn.model.write import finished
from training.dataset.groups.collected import collected, licence_facts, read_licences
from training.fit.familiarity import choose_threshold, fit_centres, out_of_fold_familiarity
from training.fit.regression import can_judge, choose_c, fit_head, folds, out_of_fold
from training.measure.calibrate import calibrate

LEAST_CLASSES, LEAST_PHOTOS = 2, 2
PRECISION = 0.95
"""Share of right answers that the thresholds promise, as in the default recipe."""
FOLDS = 5
SEED = 0


@dataclass(frozen=True)
class FreshResult:
    """A model of one's own classes.

    Attributes:
        data: bytes of its file.
        accuracy: share of right answers by heads that have not learnt from the photo; None if no photo could judge.
        photos: how many of each class it learnt from.
        gone: labels whose photos cannot be read.
        sentences: what the reader has to know besides.
    """

    data: bytes
    accuracy: float | None
    photos: dict[str, int]
    gone: int
    sentences: tuple[str, ...]


def learn_fresh(
    source: Path, labels: Sequence[Label], say: Say, *, threads: int = 1, cache: Path | None = None
) -> FreshResult:
    """Make a model of the classes that people said, from the broad network inside another model.

    Args:
        source: a model with the broad network, such as the one that ships; its classes are not taken over.
        labels: of the new classes.
        say: called after each step.
        threads: threads that read photos.
        cache: folder of the cache of features; by default that of this user.

    Raises:
        PhototriageError: there are too few classes or photos, or the model has no broad network.
    """
    base = open_base(read_model(source))
    features = photo_features(broad_network_of(base), labels, (), say, threads, cache)
    known = [one for one in sorted(labels, key=lambda one: one.sha256) if one.sha256 in features and not one.is_neither]
    counts = Counter(one.said for one in known)
    classes = tuple(sorted(name for name, count in counts.items() if count >= LEAST_PHOTOS))
    known = [one for one in known if one.said in classes]
    if len(classes) < LEAST_CLASSES:
        raise LearnError(f"A model needs {LEAST_CLASSES} classes with {LEAST_PHOTOS} photos each; label more photos.")
    rows = np.stack([features[one.sha256] for one in known])
    numbers = np.array([classes.index(one.said) for one in known], np.int64)
    groups = np.unique([one.founder for one in known], return_inverse=True)[1].astype(np.int64)
    say("labels", ", ".join(f"{name} {counts[name]}" for name in classes))
    return _made(base.proto, base.root, classes, (rows, numbers, groups), _from_web(known), len(labels) - len(known))


@dataclass(frozen=True)
class _FromWeb:
    """Photos that were collected from the web: they teach and do not judge.

    Attributes:
        places: which they are, bool [N].
        facts: how many, by licence, and what is owed; empty if there are none.
    """

    places: NDArray[np.bool_]
    facts: dict[str, Any]


def _from_web(known: Sequence[Label]) -> _FromWeb:
    paths = [one.path for one in known if one.path is not None]
    folders = {str(path.parent) for path in paths}
    licences = read_licences(Path(os.path.commonpath(folders)), folders) if folders else {}
    hashes = [bytes.fromhex(one.sha256) for one in known]
    places = collected((one.path.name if one.path is not None else "" for one in known), hashes, licences)
    return _FromWeb(places, licence_facts([hashes[place] for place in np.flatnonzero(places)], licences))


def _made(
    proto: onnx.ModelProto,
    root: Head,
    classes: tuple[str, ...],
    photos: tuple[Floats, Ints, Ints],
    web: _FromWeb,
    gone: int,
) -> FreshResult:
    rows, numbers, groups = photos
    c = choose_c(rows, numbers, groups, len(classes))
    head = fit_head(rows, numbers, len(classes), c)
    judges = can_judge(numbers, groups) & ~web.places
    temperature, thresholds, accuracy, sentences = 1.0, dict.fromkeys(classes, 0.0), None, tuple[str, ...]()
    if judges.any():
        logits = out_of_fold(rows, numbers, folds(numbers, groups, FOLDS), len(classes), c)[judges]
        found = calibrate(logits, numbers[judges], classes, PRECISION)
        temperature, thresholds, sentences = found.temperature, found.thresholds, found.sentences
        accuracy = float((logits.argmax(axis=1) == numbers[judges]).mean())
    background = np.concatenate([root.centres, root.others])
    centres = fit_centres(rows, numbers, len(classes), background, SEED)
    judged = out_of_fold_familiarity(rows, numbers, groups, len(classes), background, SEED)
    threshold = choose_threshold(judged if web.places.all() else judged[~web.places])
    assert root.contract.familiarity is not None
    familiarity = replace(
        root.contract.familiarity, centres=len(centres.rows), threshold=threshold.value, kept=threshold.kept,
        kept_at_least=threshold.kept_at_least, photos=threshold.photos,
    )  # fmt: skip
    contract = Contract(
        labels=classes,
        geometry=root.contract.geometry,
        temperature=temperature,
        thresholds=thresholds,
        metrics={} if accuracy is None else {"out_of_fold_accuracy": accuracy, "photos": int(judges.sum())},
        recipe={"name": "labels on the broad network", "c": c},
        data={
            "photos": {name: int((numbers == place).sum()) for place, name in enumerate(classes)},
            **({"collected": web.facts} if web.facts else {}),
        },
        made_by=versions(),
        tolerance=root.contract.tolerance,
        familiarity=familiarity,
    )
    kernel, bias = ((values / temperature).astype(np.float32) for values in (head.kernel, head.bias))
    made = with_fresh_head(proto, Parts(kernel, bias, centres.rows, centres.classes, centres.others))
    data = finished(made, contract)
    return FreshResult(data, accuracy, dict(contract.data["photos"]), gone, sentences)
