"""Split a dataset into training and validation photos: stratified, seeded, and without leaks.

Near duplicates stay on one side, because a model would otherwise be measured on photos that it has memorised.
"""

import warnings
from array import array
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training.errors import DatasetError

Ints = NDArray[np.int64]


def split_groups(
    labels: Sequence[int] | Ints,
    groups: Sequence[int] | Ints,
    share: float,
    seed: int,
    names: Sequence[str],
    taught: NDArray[np.bool_] | None = None,
) -> list[str]:
    """Assign each photo to training or validation.

    Args:
        labels: class index of each photo.
        groups: for each photo, the number of its group of near duplicates.
        share: share of each class that goes to validation, 0 to 1.
        seed: the same seed gives the same split of the same list of photos.
        names: class names, for the error.
        taught: photos that stay in training with their groups, bool [N].

    Returns:
        `train` or `val` for each photo. Each class has at least one photo, and one group, on each side; one with a
        photo that is taught may have none in validation.

    Raises:
        DatasetError: a class has fewer than two groups of near duplicates, and no photo that is taught.
    """
    _, first, group, sizes = np.unique(np.asarray(groups), return_index=True, return_inverse=True, return_counts=True)
    stays = np.zeros(len(first), np.bool_)
    if taught is not None:
        stays[group[taught]] = True
    own = np.bincount(np.asarray(labels)[first], minlength=len(names))
    if own.min() < 2 and (np.asarray(labels)[first][group] != labels).any():
        return _mixed(np.asarray(labels), group, share, seed, names, stays[group])
    side = np.zeros(len(first), np.bool_)
    for label, members in enumerate(_by_class(np.asarray(labels)[first], first, len(names))):
        rng, drawn = np.random.default_rng((seed, label)), members[~stays[members]]
        chosen = _drawn_groups(sizes[drawn].tolist(), share, rng, names[label], is_taught=len(drawn) < len(members))
        side[drawn[chosen]] = True
    return ["val" if held else "train" for held in side[group]]


def _mixed(
    labels: Ints, groups: Ints, share: float, seed: int, names: Sequence[str], stays: NDArray[np.bool_]
) -> list[str]:
    """Split groups that hold photos of several classes, such as all photos of one place."""
    from sklearn.model_selection import StratifiedGroupKFold

    parts = min(max(2, round(1 / share)), int(groups.max()) + 1, int(np.bincount(labels).max()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a class of fewer photos than parts: some parts hold none of it
        drawn = StratifiedGroupKFold(parts, shuffle=True, random_state=seed) if parts > 1 else None
        for _, held in drawn.split(labels[:, None], labels, groups) if drawn else ():
            validated = np.isin(np.arange(len(labels)), held) & ~stays
            if len(np.unique(labels[~validated])) == len(np.unique(labels[validated])) == len(names):
                return ["val" if each else "train" for each in validated]
    raise DatasetError(
        "The groups cannot be split so that each class has photos to train on and to validate. Name smaller groups, or"
        " put the photos to validate into a folder val."
    )


def _by_class(labels: Ints, first: Ints, classes: int) -> list[Ints]:
    """The groups of each class, in the order of their first photos."""
    order = np.lexsort((first, labels))
    return np.split(order, np.searchsorted(labels[order], np.arange(1, classes)))


def _drawn_groups(sizes: list[int], share: float, rng: np.random.Generator, name: str, *, is_taught: bool) -> list[int]:
    """Draw the groups of a class that go to validation; `sizes` are their numbers of photos.

    Args:
        is_taught: the class has photos in training besides, so it needs no groups here.
    """
    if is_taught and len(sizes) < 2:
        return []
    if len(sizes) < 2:
        held = sum(sizes)
        raise DatasetError(
            f"The class {name!r} has {held} readable photo{'s' * (held != 1)}, but needs at least two that differ: one"
            " to train on and one to validate. Add photos, or remove the class."
        )
    wanted = share * sum(sizes)
    drawn: list[int] = []
    held = 0
    order = rng.permutation(len(sizes)).tolist()
    for place in order[:-1]:
        if held + sizes[place] / 2 <= wanted:  # a larger group stays in training, whenever it is drawn
            drawn.append(place)
            held += sizes[place]
    return drawn or [min(order, key=lambda place: sizes[place])]


class UnionFind:
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
        """Join the groups of two photos."""
        one, other = sorted((self.find(one), self.find(other)))
        self._parent[other] = one

    def numbers(self) -> list[int]:
        """The group of each photo."""
        return [self.find(photo) for photo in range(len(self._parent))]
