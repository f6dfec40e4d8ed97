"""Findings about photos that are the same: under two labels, in two splits, or twice in one place."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from training.check.kinds import Finding, Kind
from training.dataset.layout import Photo


class Sums(Protocol):
    """SHA-256 of each photo, by its number."""

    def __getitem__(self, number: int, /) -> bytes: ...


def members(groups: NDArray[np.int64]) -> Iterator[tuple[int, ...]]:
    """The groups of two and more photos, the largest first."""
    held: dict[int, list[int]] = defaultdict(list)
    counts = np.bincount(groups, minlength=len(groups)) if len(groups) else groups
    for number in np.flatnonzero(counts[groups] > 1):
        held[int(groups[number])].append(int(number))
    yield from (tuple(twins) for twins in sorted(held.values(), key=len, reverse=True))


def shared(
    photos: Sequence[Photo], labels: Sequence[str], groups: NDArray[np.int64], digests: Sums
) -> Iterator[Finding]:
    """Twins that stand under two labels, then twins that stand in two splits.

    Args:
        groups: int64 [N], group of twins of each photo. digests: SHA-256 of each photo.
    """
    twins = list(members(groups))
    yield from _divided(Kind.CONFLICT, twins, [labels[photo.label] for photo in photos], digests)
    # What nobody has put on a side yet is there to be trained on.
    yield from _divided(Kind.LEAK, twins, [photo.split or "train" for photo in photos], digests)


def _divided(kind: Kind, twins: Sequence[tuple[int, ...]], places: Sequence[str], digests: Sums) -> list[Finding]:
    """Groups of twins that stand in more than one place; first those in which one very file does."""
    found = []
    for group in twins:
        names = list(dict.fromkeys(places[number] for number in group))
        if len(names) > 1:
            same = _identical(group, places, digests)
            words = "the same file" if same else "nearly the same picture"
            found.append(Finding(kind, group, f"{words} in {' and '.join(names)}", {"exact": same}))
    return sorted(found, key=lambda finding: not finding.facts["exact"])


def _identical(group: Sequence[int], places: Sequence[str], digests: Sums) -> bool:
    """Whether one file, byte for byte, stands in two of the places."""
    seen: dict[bytes, str] = {}
    return any(seen.setdefault(digests[number], places[number]) != places[number] for number in group)


def duplicates(groups: NDArray[np.int64], digests: Sums) -> Iterator[Finding]:
    """Exact duplicates, then groups in which at least two files differ."""
    near = []
    for group in members(groups):
        files: dict[bytes, list[int]] = defaultdict(list)
        for number in group:
            files[digests[number]].append(number)
        for copies in files.values():
            if len(copies) > 1:
                yield Finding(Kind.DUPLICATE, tuple(copies), f"{len(copies)} identical files")
        if len(files) > 1:
            near.append(Finding(Kind.NEAR, group, f"{len(files)} files that look alike"))
    yield from near
