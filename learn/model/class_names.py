"""New names for the classes of a root: renamed, merged with another one, or retired.

The names are kept in the learned file, because each learning begins at the root again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from common.text import printable
from contract.labels import fault_of
from learn.errors import LearnError
from learn.fitting.head import Lessons, fit, log_probabilities
from learn.fitting.layer import Floats, Ints, Layer
from learn.label_file import Label
from learn.model.base import Head

Names = Mapping[str, str]
"""New name of some classes of a root. Two with one name are merged, and an empty name retires the class."""
PULL = 0.01
"""Of a merged class to the mean of its parts: weak, because that mean is only where the search begins."""


def with_changes(known: Sequence[str], names: Names, changes: Names) -> dict[str, str]:
    """Return the names after some changes.

    Args:
        known: classes of the root.
        names: in force.
        changes: by present name, the new ones.

    Raises:
        LearnError: there is no such class, a name cannot be a class, or fewer than two classes would be left.
    """
    found = {name: names.get(name, name) for name in known}
    for old, new in changes.items():
        own = [name for name, now in found.items() if now == old]
        if not own:
            there = ", ".join(dict.fromkeys(printable(now) for now in found.values() if now))
            raise LearnError(f"The model has no class {printable(old)}; it has {there}.")
        if new and (fault := fault_of(new)):
            raise LearnError(f"{printable(new)} cannot be a class: {fault}")
        found.update(dict.fromkeys(own, new))
    if len(set(filter(None, found.values()))) < 2:
        raise LearnError("A model needs two classes at least. Retire or merge fewer.")
    return {name: new for name, new in found.items() if new != name}


def earlier_names(before: Names, changes: Names) -> dict[str, str]:
    """Return the present name of each class by every name that it had earlier; empty for a retired one.

    Args:
        before: the same before the changes.
        changes: by the names of then, the new ones.
    """
    found = {old: changes.get(now, now) for old, now in before.items()} | dict(changes)
    return {old: now for old, now in found.items() if now != old}


def numbers_of(known: Sequence[str], names: Names) -> tuple[tuple[str, ...], Ints]:
    """Return the classes under their new names, and the number of each old class among them; -1 for a retired one."""
    called = [names.get(name, name) for name in known]
    classes = tuple(dict.fromkeys(filter(None, called)))
    return classes, np.array([classes.index(name) if name else -1 for name in called], np.int64)


def renamed_labels(labels: Sequence[Label], names: Names) -> list[Label]:
    """Return labels with the present names of their classes, without those of retired ones."""
    called = [one._replace(said=names.get(one.said, one.said)) for one in labels]
    return [one for one in called if one.said]


def renamed_root(root: Head, names: Names, photos: Floats) -> Head:
    """Return a root whose head answers with the new classes.

    Args:
        root: as `convert` made it.
        names: of its classes.
        photos: features of photos that the root remembers, float32 [M, F]: a merged class is to get from them what its
            parts got together.
    """
    known = root.contract.labels
    classes, numbers = numbers_of(known, names)
    if classes == known:
        return root
    parts = [np.flatnonzero(numbers == number) for number in range(len(classes))]
    kernel = np.stack([root.layer.kernel[:, own].mean(axis=1) for own in parts], axis=1)
    bias = np.array([root.layer.bias[own].mean() + np.log(len(own)) for own in parts], np.float32)
    layer = Layer(np.ascontiguousarray(kernel, np.float32), bias)
    if len(photos) and any(len(own) > 1 for own in parts):
        given = np.exp(log_probabilities(root.layer.logits(photos)))
        together = np.stack([given[:, own].sum(axis=1) for own in parts], axis=1)
        targets = together / together.sum(axis=1, keepdims=True)
        layer = fit(layer, Lessons(photos, targets, np.ones(len(photos))), PULL)
    kept = numbers[root.classes] >= 0
    thresholds = {
        name: max(root.contract.thresholds.get(known[old], 0.0) for old in own)
        for name, own in zip(classes, parts, strict=True)
    }
    contract = replace(
        root.contract, labels=classes, thresholds=thresholds if root.contract.thresholds else {}, golden=()
    )  # fmt: skip
    return replace(
        root, contract=contract, layer=layer, centres=root.centres[kept], classes=numbers[root.classes[kept]]
    )  # fmt: skip
