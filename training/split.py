"""Part a dataset into training and validation photos: stratified, seeded, and without a leak.

Photos with the same content, or nearly the same look, stay on one side: a model that has seen a photo's twin in
training would be praised for remembering it.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from training.errors import DatasetError


def split_groups(
    labels: Sequence[int], groups: Sequence[int], share: float, seed: int, names: Sequence[str]
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
    members: dict[int, list[int]] = defaultdict(list)
    for photo, group in enumerate(groups):
        members[group].append(photo)
    by_label: dict[int, list[list[int]]] = defaultdict(list)
    for twins in members.values():
        by_label[labels[twins[0]]].append(twins)
    sides = ["train"] * len(labels)
    for label, name in enumerate(names):
        for photo in _drawn(by_label[label], share, np.random.default_rng((seed, label)), name):
            sides[photo] = "val"
    return sides


def _drawn(groups: list[list[int]], share: float, rng: np.random.Generator, name: str) -> Iterable[int]:
    if len(groups) < 2:
        held = sum(map(len, groups))
        raise DatasetError(
            f"The class {name!r} has {held} readable photo{'s' * (held != 1)} without twins, and needs at least two:"
            " one to learn from and one to check with. Add photos, or take the class out."
        )
    wanted = share * sum(map(len, groups))
    drawn: list[int] = []
    for place in rng.permutation(len(groups))[: len(groups) - 1]:
        if drawn and len(drawn) + len(groups[place]) / 2 > wanted:
            break
        drawn += groups[place]
    return drawn


class Groups:
    """Disjoint sets over photo numbers (union by the smaller number, with path halving)."""

    def __init__(self, count: int) -> None:
        self._parent = list(range(count))

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
