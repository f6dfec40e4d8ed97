"""Part a dataset into training and validation photos: stratified, seeded, and without a leak.

Photos with the same content, or nearly the same look, stay on one side: a model that has seen a photo's twin in
training would be praised for remembering it.
"""

from array import array
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training.errors import DatasetError

Ints = NDArray[np.int64]


def split_groups(
    labels: Sequence[int] | Ints, groups: Sequence[int] | Ints, share: float, seed: int, names: Sequence[str]
) -> list[str]:
    """Give each photo its side.

    Args:
        labels: class index of each photo. groups: number of the group of twins of each photo.
        share: how much of each class goes to validation, 0 to 1.
        seed: the same seed gives the same split of the same list of photos.
        names: class names, for the error.

    Returns:
        `train` or `val` for each photo. Each class has at least one photo, and one group, on each side.

    Raises:
        DatasetError: a class has no two photos that are not twins.
    """
    _, first, group, sizes = np.unique(np.asarray(groups), return_index=True, return_inverse=True, return_counts=True)
    side = np.zeros(len(first), np.bool_)
    for label, members in enumerate(_by_class(np.asarray(labels)[first], first, len(names))):
        chosen = _drawn(sizes[members].tolist(), share, np.random.default_rng((seed, label)), names[label])
        side[members[chosen]] = True
    return ["val" if held else "train" for held in side[group]]


def _by_class(labels: Ints, first: Ints, classes: int) -> list[Ints]:
    """The groups of each class, in the order of their first photos."""
    order = np.lexsort((first, labels))
    return np.split(order, np.searchsorted(labels[order], np.arange(1, classes)))


def _drawn(sizes: list[int], share: float, rng: np.random.Generator, name: str) -> list[int]:
    """Which of a class's groups go to validation; each is given as the number of its photos."""
    if len(sizes) < 2:
        held = sum(sizes)
        raise DatasetError(
            f"The class {name!r} has {held} readable photo{'s' * (held != 1)} without twins, and needs at least two:"
            " one to learn from and one to check with. Add photos, or take the class out."
        )
    wanted = share * sum(sizes)
    drawn: list[int] = []
    held = 0
    for place in rng.permutation(len(sizes))[: len(sizes) - 1].tolist():
        if drawn and held + sizes[place] / 2 > wanted:
            break
        drawn.append(place)
        held += sizes[place]
    return drawn


class Groups:
    """Disjoint sets over photo numbers (union by the smaller number, with path halving)."""

    def __init__(self, count: int) -> None:
        self._parent = array("q", range(count))

    def find(self, photo: int) -> int:
        """Number of the group: its smallest photo."""
        while self._parent[photo] != photo:
            self._parent[photo] = self._parent[self._parent[photo]]
            photo = self._parent[photo]
        return photo

    def join(self, one: int, other: int) -> None:
        """Put two photos, and all their twins, into one group."""
        one, other = sorted((self.find(one), self.find(other)))
        self._parent[other] = one

    def numbers(self) -> list[int]:
        """The group of each photo."""
        return [self.find(photo) for photo in range(len(self._parent))]
