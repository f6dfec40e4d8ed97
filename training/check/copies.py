"""Findings about duplicates: under two labels, in two splits, or twice in one place."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from training.check.kinds import Finding, Kind
from training.dataset.layout import Photo


class DigestLookup(Protocol):
    """SHA-256 of each photo, by its index."""

    def __getitem__(self, number: int, /) -> bytes: ...


def duplicate_groups(groups: NDArray[np.int64]) -> Iterator[tuple[int, ...]]:
    """Yield the groups of at least two photos, the largest first."""
    held: dict[int, list[int]] = defaultdict(list)
    counts = np.bincount(groups, minlength=len(groups)) if len(groups) else groups
    for number in np.flatnonzero(counts[groups] > 1):
        held[int(groups[number])].append(int(number))
    yield from (tuple(numbers) for numbers in sorted(held.values(), key=len, reverse=True))


def conflicts_and_leaks(
    photos: Sequence[Photo], labels: Sequence[str], groups: NDArray[np.int64], digests: DigestLookup
) -> Iterator[Finding]:
    """Yield near duplicates under two labels, then near duplicates in two splits.

    Args:
        groups: int64 [N], group of near duplicates of each photo.
        digests: SHA-256 of each photo.
    """
    copies = list(duplicate_groups(groups))
    yield from _divided(Kind.CONFLICT, copies, [labels[photo.label] for photo in photos], digests)
    # Photos without a split are training photos.
    yield from _divided(Kind.LEAK, copies, [photo.split or "train" for photo in photos], digests)


def _divided(
    kind: Kind, copies: Sequence[tuple[int, ...]], places: Sequence[str], digests: DigestLookup
) -> list[Finding]:
    """Groups that are in more than one place; groups with identical files in two places come first."""
    found = []
    for group in copies:
        names = list(dict.fromkeys(places[number] for number in group))
        if len(names) > 1:
            same = _identical(group, places, digests)
            words = "the same file" if same else "nearly the same picture"
            found.append(Finding(kind, group, f"{words} in {' and '.join(names)}", {"exact": same}))
    return sorted(found, key=lambda finding: not finding.facts["exact"])


def _identical(group: Sequence[int], places: Sequence[str], digests: DigestLookup) -> bool:
    """Whether identical files are in two of the places."""
    seen: dict[bytes, str] = {}
    return any(seen.setdefault(digests[number], places[number]) != places[number] for number in group)


def duplicates(groups: NDArray[np.int64], digests: DigestLookup) -> Iterator[Finding]:
    """Yield exact duplicates, then groups with at least two different files."""
    near = []
    for group in duplicate_groups(groups):
        files: dict[bytes, list[int]] = defaultdict(list)
        for number in group:
            files[digests[number]].append(number)
        for copies in files.values():
            if len(copies) > 1:
                yield Finding(Kind.DUPLICATE, tuple(copies), f"{len(copies)} identical files")
        if len(files) > 1:
            near.append(Finding(Kind.NEAR, group, f"{len(files)} files that look alike"))
    yield from near
