"""Join the groups of photos that stay on one side of a split."""

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from common.text import printable
from training.dataset.groups.bursts import bursts
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
        together: also photos of one day's folder and of one burst, which a split by `train` keeps together.
        named: the groups that the user named; None if there was no file of them.
    """

    apart: Ints
    together: Ints
    named: NamedGroups | None


def find_groups(
    photos: Sequence[Photo],
    copies: Sequence[int],
    captures: Ints,
    dataset: Dataset,
    named: Path | None,
    reporter: Reporter,
) -> Groups:
    """Find the groups of photos, and say how many there are.

    Args:
        photos: the readable photos.
        copies: for each photo, the number of its group of near copies.
        captures: camera and time of each photo, int64 [N, 2].
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
        sizes = Counter[str | int]({name: len(places) for name, places in by_name.places.items()})
        _say(reporter, sizes, f"group of {printable(named)}")
    apart = np.array(groups.numbers(), np.int64)
    kinds: dict[str, Sequence[str | int]] = {
        "folder of one day": day_folders(photos, dataset.labels, dataset.root),
        "burst of one camera": bursts(photos, captures),
    }
    for kind, keys in kinds.items():
        chosen = _of_enough(keys, photos, dataset.labels, kind, reporter)
        _join(groups, chosen)
        _say(reporter, Counter(key for _, key in chosen), kind)
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
    keys: Sequence[str | int], photos: Sequence[Photo], labels: Sequence[str], kind: str, reporter: Reporter
) -> list[tuple[int, str | int]]:
    """Photos with their groups, of the classes that have enough groups to be split.

    Args:
        keys: the group of each photo; empty or 0 for none.
    """
    groups: dict[int, set[Hashable]] = {}
    for place, (key, photo) in enumerate(zip(keys, photos, strict=True)):
        groups.setdefault(photo.label, set()).add((bool(key), key or place))
    few = {label for label, found in groups.items() if len(found) < LEAST_GROUPS}
    chosen = [(place, key) for place, key in enumerate(keys) if key and photos[place].label not in few]
    split = sorted({photos[place].label for place, key in enumerate(keys) if key} & few)
    if split:
        named = ", ".join(printable(labels[label]) for label in split[:SHOWN]) + (", ..." if split[SHOWN:] else "")
        reporter.say(
            f"{_plural(kind).capitalize()} may be split in {named}: with fewer than {LEAST_GROUPS} groups, one would"
            " decide most figures."
        )
    return chosen


def _plural(kind: str) -> str:
    return kind.replace(" of ", "s of ", 1)


def _say(reporter: Reporter, sizes: Counter[str | int], kind: str) -> None:
    photos = sum(sizes.values())
    if photos > len(sizes):
        kinds = _plural(kind) if len(sizes) > 1 else kind
        reporter.say(f"{photos:,} photos in {len(sizes):,} {kinds} stay together.")
