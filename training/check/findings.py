"""Turn what a scan saw into findings: first about single photos, then about photos that are the same."""

import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.check.kinds import Kind
from training.check.scan import Scan
from training.layout import Dataset, Photo
from training.twins import find_twins

BLANK_SPREAD = 2.0  # of 255: a JPEG of one colour stays under 1, the foggiest of 9,818 scene photos is at 9
TINY_PX = 32  # shorter side: MobileNetV2 shrinks its input by 32, so there one pixel would be left
ODD_SIZE = 5.0  # times the usual side; and as much below
ODD_ASPECT = 3.0
IMBALANCE = 10.0  # the largest class holds that many times as many photos


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    photos: numbers of the photos in the dataset; twins stand together in one finding. detail: the rest, in words.
    facts: plain values that a script would read.
    """

    kind: Kind
    photos: tuple[int, ...]
    detail: str
    facts: dict[str, Any] = field(default_factory=dict)


def find_all(dataset: Dataset, scan: Scan) -> tuple[list[Finding], NDArray[np.int64]]:
    """Everything that needs no model.

    Returns:
        The findings, worst first within each kind, and int64 [N], the group of twins of each photo.
    """
    groups = _twins(scan)
    found = [
        *_unlisted(dataset.root),
        *_unreadable(scan),
        *_blank(scan),
        *_shared(dataset, scan, groups),
        *_mistyped(dataset.photos, scan),
        *_duplicates(scan, groups),
        *_sizes(scan),
        *_balance(dataset, scan),
    ]
    return found, groups


def blank(scan: Scan) -> NDArray[np.bool_]:
    """Which photos show one colour and nothing else, bool [N]."""
    return (scan.sizes[:, 0] > 0) & (scan.spreads < BLANK_SPREAD)


def _twins(scan: Scan) -> NDArray[np.int64]:
    """Groups of twins. Blank pictures all look the same without being copies, so they stay alone."""
    groups = np.arange(len(scan.digests))
    seen = np.flatnonzero((scan.sizes[:, 0] > 0) & ~blank(scan))
    found = find_twins([scan.digests[number] for number in seen], scan.looks[seen], seen, scan.thumbnails)
    groups[seen] = seen[np.asarray(found, np.int64)]
    return groups


def members(groups: NDArray[np.int64]) -> Iterator[tuple[int, ...]]:
    """The groups of two and more photos, the largest first."""
    held: dict[int, list[int]] = defaultdict(list)
    counts = np.bincount(groups, minlength=len(groups)) if len(groups) else groups
    for number in np.flatnonzero(counts[groups] > 1):
        held[int(groups[number])].append(int(number))
    yield from (tuple(twins) for twins in sorted(held.values(), key=len, reverse=True))


def _unlisted(root: Path) -> Iterator[Finding]:
    errors: list[OSError] = []
    for _ in os.walk(root, onerror=errors.append):
        pass
    for error in errors:
        path = os.path.relpath(str(error.filename), root)
        yield Finding(Kind.UNLISTED, (), f"{error.strerror}", {"folder": path})


def _unreadable(scan: Scan) -> Iterator[Finding]:
    for number, fault in sorted(scan.faults.items(), key=lambda item: (item[1].reason, item[0])):
        yield Finding(Kind.UNREADABLE, (number,), str(fault), {"reason": fault.reason.value})


def _blank(scan: Scan) -> Iterator[Finding]:
    for number in np.flatnonzero(blank(scan)):
        colour = "#" + "".join(f"{int(value):02x}" for value in scan.thumbnails[number].mean(axis=(0, 1)))
        yield Finding(Kind.BLANK, (int(number),), f"nothing but {colour}", {"colour": colour})


def _mistyped(photos: Sequence[Photo], scan: Scan) -> Iterator[Finding]:
    for number, kind in scan.mistyped.items():
        named = photos[number].path.suffix
        says = f"its name ends in {named}" if named else "its name has no ending"
        yield Finding(Kind.WRONG_TYPE, (number,), f"its content is {kind}, {says}", {"content": kind})


def _shared(dataset: Dataset, scan: Scan, groups: NDArray[np.int64]) -> Iterator[Finding]:
    """Twins that stand under two labels, then twins that stand in two splits."""
    twins = list(members(groups))
    labels = [dataset.labels[photo.label] for photo in dataset.photos]
    splits = [photo.split for photo in dataset.photos]
    yield from _divided(Kind.CONFLICT, twins, labels, scan)
    yield from _divided(Kind.LEAK, twins, splits, scan)


def _divided(kind: Kind, twins: Sequence[tuple[int, ...]], places: Sequence[str], scan: Scan) -> list[Finding]:
    """Groups of twins that stand in more than one place; first those in which one very file does."""
    found = []
    for group in twins:
        names = list(dict.fromkeys(places[number] for number in group))
        if len(names) > 1:
            same = _identical(group, places, scan)
            words = "the same file" if same else "nearly the same picture"
            found.append(Finding(kind, group, f"{words} in {' and '.join(names)}", {"exact": same}))
    return sorted(found, key=lambda finding: not finding.facts["exact"])


def _identical(group: Sequence[int], places: Sequence[str], scan: Scan) -> bool:
    """Whether one file, byte for byte, stands in two of the places."""
    seen: dict[bytes, str] = {}
    return any(seen.setdefault(scan.digests[number], places[number]) != places[number] for number in group)


def _duplicates(scan: Scan, groups: NDArray[np.int64]) -> Iterator[Finding]:
    """Exact duplicates, then groups in which at least two files differ."""
    near = []
    for group in members(groups):
        files: dict[bytes, list[int]] = defaultdict(list)
        for number in group:
            files[scan.digests[number]].append(number)
        for copies in files.values():
            if len(copies) > 1:
                yield Finding(Kind.DUPLICATE, tuple(copies), f"{len(copies)} identical files")
        if len(files) > 1:
            near.append(Finding(Kind.NEAR, group, f"{len(files)} files that look alike"))
    yield from near


def _sizes(scan: Scan) -> Iterator[Finding]:
    readable = scan.readable()
    if not len(readable):
        return
    width, height = scan.sizes[readable].astype(np.float64).T
    side, ratio = np.sqrt(width * height), np.maximum(width, height) / np.minimum(width, height)
    usual = float(np.median(side))
    off = np.maximum(side / usual, usual / side)
    tiny = np.minimum(width, height) < TINY_PX
    ranked = (
        (Kind.TINY, -side, tiny),
        (Kind.SIZE, off, (off > ODD_SIZE) & ~tiny),
        (Kind.ASPECT, ratio, ratio > ODD_ASPECT),
    )
    for kind, oddness, wanted in ranked:
        for place in np.flatnonzero(wanted)[np.argsort(-oddness[wanted], kind="stable")]:
            pixels = {"width": int(width[place]), "height": int(height[place])}
            usually = f", usual is a side of {usual:.0f}" if kind is Kind.SIZE else ""
            words = f"{pixels['width']} x {pixels['height']} pixels{usually}"
            yield Finding(kind, (int(readable[place]),), words, pixels)


def _balance(dataset: Dataset, scan: Scan) -> Iterator[Finding]:
    """Classes that are empty or far smaller than the largest, counted over readable photos to train on."""
    counts = Counter(dataset.photos[n].label for n in scan.readable() if dataset.photos[n].split in ("", "train"))
    largest = max(counts.values(), default=0)
    for count, label in sorted((counts[index], label) for index, label in enumerate(dataset.labels)):
        if count * IMBALANCE < largest or count < 2:
            words = f"{label}: {count} readable photos to train on, the largest class has {largest}"
            yield Finding(Kind.BALANCE, (), words, {"label": label, "photos": count, "largest": largest})
