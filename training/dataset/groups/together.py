"""Join the groups of photos that stay on one side of a split."""

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from common.text import printable
from training.dataset.groups.days import day_folders
from training.dataset.groups.named import NamedGroups, read_groups
from training.dataset.layout import Dataset, Photo
from training.dataset.split import UnionFind
from training.progress import Reporter

LEAST_GROUPS = 5
"""Groups that a class must have: with fewer, one of them would be most of what is judged."""
SHOWN = 5  # classes named in a sentence

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Groups:
    """Group number of each photo, int64 [N].

    Attributes:
        apart: near copies and groups that the user named, which must not be on two sides of a split that the user made.
        together: also photos of one day's folder, which a split by `train` keeps together.
        named: the groups that the user named; None if there was no file of them.
    """

    apart: Ints
    together: Ints
    named: NamedGroups | None


def find_groups(
    photos: Sequence[Photo], copies: Sequence[int], dataset: Dataset, named: Path | None, reporter: Reporter
) -> Groups:
    """Find the groups of photos, and say how many there are.

    Args:
        photos: the readable photos.
        copies: for each photo, the number of its group of near copies.
        named: CSV file of groups.

    Raises:
        DatasetError: the file is wrong.
    """
    groups = UnionFind(len(photos))
    _join(groups, enumerate(copies))
    by_name = None
    if named is not None:
        by_name = read_groups(named, dataset.root, [*photos, *_unreadable(dataset, photos)])
        _join(
            groups,
            ((place, name) for name, places in by_name.places.items() for place in places if place < len(photos)),
        )
        sizes = Counter({name: len(places) for name, places in by_name.places.items()})
        _say(reporter, sizes, f"group of {printable(named)}")
    apart = np.array(groups.numbers(), np.int64)
    days = day_folders(photos, dataset.labels, dataset.root)
    chosen = _of_enough(days, photos, dataset.labels, reporter)
    _join(groups, chosen)
    _say(reporter, Counter(day for _, day in chosen), "folder of one day")
    return Groups(apart, np.array(groups.numbers(), np.int64), by_name)


def _unreadable(dataset: Dataset, readable: Sequence[Photo]) -> list[Photo]:
    """Photos that cannot be read may be named, too."""
    known = {(photo.folder, photo.name) for photo in readable}
    return [photo for photo in dataset.photos if (photo.folder, photo.name) not in known]


def _join(groups: UnionFind, keys: Iterable[tuple[int, Hashable]]) -> None:
    """Join the photos that share a key."""
    first: dict[Hashable, int] = {}
    for place, key in keys:
        groups.join(place, first.setdefault(key, place))


def _of_enough(
    days: Sequence[str], photos: Sequence[Photo], labels: Sequence[str], reporter: Reporter
) -> list[tuple[int, str]]:
    """Photos with their days, of the classes that have enough groups to be split."""
    groups: dict[int, set[Hashable]] = {}
    for place, (day, photo) in enumerate(zip(days, photos, strict=True)):
        groups.setdefault(photo.label, set()).add(day or place)
    few = {label for label, found in groups.items() if len(found) < LEAST_GROUPS}
    chosen = [(place, day) for place, day in enumerate(days) if day and photos[place].label not in few]
    split = sorted({photos[place].label for place, day in enumerate(days) if day} & few)
    if split:
        named = ", ".join(printable(labels[label]) for label in split[:SHOWN]) + (", ..." if split[SHOWN:] else "")
        reporter.say(
            f"Folders of one day may be split in {named}: with fewer than {LEAST_GROUPS} of them, one would decide most"
            " figures."
        )
    return chosen


def _say(reporter: Reporter, sizes: Counter[str], kind: str) -> None:
    photos = sum(sizes.values())
    if photos > len(sizes):
        plural = kind.replace(" of ", "s of ", 1)
        reporter.say(f"{photos:,} photos in {len(sizes):,} {plural if len(sizes) > 1 else kind} stay together.")
