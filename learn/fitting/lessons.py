"""What people said and what the root says, as lessons for a head."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from contract.labels import ENOUGH, OTHER
from learn.fitting.head import KEYS, Lessons, anchors, joined, order_of
from learn.fitting.layer import Doubles, Floats, Ints, Layer
from learn.label_file import Label

BESIDE = 100
"""Filed photos without which a new class is not learnt where there is no memory: it would take every photo."""
TOGETHER, HEAVIEST = 100.0, 5.0
"""All labels together weigh as many photos, but none more than HEAVIEST nor less than 1 (docs/measurements.md)."""
TOGETHER_READ = 1_000
"""Photos whose features are unpacked at once where one after the other is looked at."""
UNNAMED = 3.0
"""Weight of remembered photos of a class that no label names: labels only take from it (docs/measurements.md)."""
MOST_ANCHORS, MOST_FILED = 1_000, 2_000
"""Remembered training photos, and the owner's own filed ones, that hold the head where the root is."""


@dataclass(frozen=True)
class Said:
    """Labels whose photos could be read, and the classes that they are about.

    Attributes:
        labels: in the order of their hashes.
        features: float32 [F] of each, by SHA-256.
        classes: of the new head: those of the root, then those that were added.
        new: those that were added.
        few: number of groups of each class that has too few of them to be learnt.
    """

    labels: Sequence[Label]
    features: Mapping[str, Floats]
    classes: tuple[str, ...]
    new: tuple[str, ...]
    few: Mapping[str, int]

    @property
    def taught(self) -> list[Label]:
        """Labels to learn from."""
        return [one for one in self.labels if one.said in self.classes and not one.is_held_out and not one.is_neither]

    @property
    def held_out(self) -> list[Label]:
        """Labels that test what was learnt."""
        return [one for one in self.labels if one.said in self.classes and one.is_held_out]

    def without(self, some: Collection[str]) -> "Said":
        """The same without the labels of some photos, by SHA-256."""
        return replace(self, labels=[one for one in self.labels if one.sha256 not in some])

    @property
    def strangers(self) -> list[Label]:
        """Photos that a person called none of the classes."""
        return [one for one in self.labels if one.said == OTHER and OTHER not in self.classes]

    def rows(self, some: Sequence[Label], first: int | None = None) -> Floats:
        """Features of some labels, float32 [N, F]; only the first ones of each if `first` says how many."""
        found = np.empty((len(some), len(self.features[some[0].sha256][:first])), np.float32)
        for place, one in enumerate(some):  # not stacked, because then all would be there twice
            found[place] = self.features[one.sha256][:first]
        return found

    def answers(self, layer: Layer, some: Sequence[Label]) -> Ints:
        """Classes that a head gives to the photos of some labels, [N], without holding all of their features."""
        parts = [layer.answers(self.rows(some[at : at + TOGETHER_READ])) for at in range(0, len(some), TOGETHER_READ)]
        return np.concatenate([np.zeros(0, np.int64), *parts])

    def numbers(self, some: Sequence[Label]) -> "np.ndarray[tuple[int, ...], np.dtype[np.int64]]":
        """Class numbers of some labels, [N]."""
        return np.array([self.classes.index(one.said) for one in some], np.int64)


def said_of(labels: Sequence[Label], features: Mapping[str, Floats], known: Sequence[str]) -> Said:
    """Sort labels into classes; those of photos without features are left out.

    Args:
        labels: in force.
        features: float32 [F] by SHA-256.
        known: classes of the root.
    """
    readable = [one for one in labels if one.sha256 in features]
    groups = defaultdict[str, set[str]](set)
    for one in readable:
        if one.said not in known and one.said != OTHER and not one.is_neither:
            groups[one.said].add(one.founder)
    new = sorted(name for name, founders in groups.items() if len(founders) >= ENOUGH)
    few = {name: len(founders) for name, founders in sorted(groups.items()) if len(founders) < ENOUGH}
    return Said(readable, features, (*known, *new), tuple(new), few)


def lessons_of(root: Layer, said: Said, memory: Floats, filed: Floats) -> Lessons:
    """Labels as hard targets; remembered photos and those of which nothing was said as anchors.

    Args:
        root: widened to all classes.
        said: the labels; a group of near-duplicates weighs as one photo.
        memory: features of training photos, float32 [M, F].
        filed: features of the owner's other photos, float32 [N, F].
    """
    taught = said.taught
    named = np.unique(said.numbers([one for one in taught if one.said not in said.new]))
    held = [remembered(root, memory, named), anchors(root, filed)]
    if not taught:
        return joined(*held)
    weights = np.concatenate([*(part.weights for part in held), _weights(taught, said.new, len(memory) + len(filed))])
    targets = np.concatenate([*(part.targets for part in held), np.eye(len(said.classes))[said.numbers(taught)]])
    keys = np.concatenate([*(part.features[:, :KEYS] for part in held), said.rows(taught, KEYS)])
    order = order_of(keys, targets, weights)
    # Every photo is unpacked to the place where the fit wants it: ten thousand of them hold 100 MB, and only once.
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    features = np.empty((len(order), memory.shape[1]), np.float32)
    features[place[: len(memory)]] = memory
    features[place[len(memory) : len(memory) + len(filed)]] = filed
    for at, one in zip(place[len(memory) + len(filed) :].tolist(), taught, strict=True):
        features[at] = said.features[one.sha256]
    return Lessons(features, targets[order], weights[order])


def remembered(root: Layer, memory: Floats, named: Ints) -> Lessons:
    """Anchors of remembered photos.

    Args:
        root: widened to all classes.
        memory: features, float32 [M, F].
        named: numbers of the root's classes that labels name; if there are none, all photos weigh the same.
    """
    held = anchors(root, memory)
    if not len(named):
        return held
    other = ~np.isin(held.targets.argmax(axis=1), named)
    return replace(held, weights=np.where(other, UNNAMED, held.weights))


def _weights(taught: Sequence[Label], new: Collection[str], anchored: int) -> Doubles:
    """Weight of each label. All photos of a new class together weigh as much as all anchors."""
    sizes = Counter(one.founder for one in taught)
    groups = Counter(said for said, _ in {(one.said, one.founder) for one in taught})
    corrected = sum(count for name, count in groups.items() if name not in new)
    weight = float(np.clip(TOGETHER / max(1, corrected), 1.0, HEAVIEST))
    of_class = {name: max(1.0, anchored / count) if name in new else weight for name, count in groups.items()}
    return np.array([of_class[one.said] / sizes[one.founder] for one in taught])
