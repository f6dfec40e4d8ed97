"""Derive findings from a scan."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.check.balance import balance
from training.check.copies import conflicts_and_leaks, duplicates
from training.check.from_web import from_web
from training.check.kinds import Finding, Kind
from training.check.scan import Scan
from training.dataset.layout import Dataset, Photo
from training.dataset.near_duplicates import find_near_duplicates

BLANK_SPREAD = 2.0  # of 255: a JPEG of one colour is below 1, and the foggiest of 9,818 scene photos is at 9
TINY_PX = 32  # shorter side: MobileNetV2 shrinks its input by 32, so one pixel would be left
ODD_SIZE = 5.0  # ratio to the median side, above or below
ODD_ASPECT = 3.0


def find_problems(dataset: Dataset, scan: Scan) -> tuple[list[Finding], NDArray[np.int64]]:
    """Find all problems that need no model.

    Returns:
        The findings, worst first within each kind, and int64 [N], the group of near duplicates of each photo.
    """
    groups = _near_duplicates(scan)
    found = [
        *_unlisted(dataset),
        *_unreadable(scan),
        *_blank(scan),
        *conflicts_and_leaks(dataset.photos, dataset.labels, groups, scan.digests),
        *from_web(dataset, scan.digests),
        *_mistyped(dataset.photos, scan),
        *duplicates(groups, scan.digests),
        *_sizes(scan),
        *balance([dataset.photos[number] for number in scan.readable()], dataset.labels),
    ]
    return found, groups


def blank(scan: Scan) -> NDArray[np.bool_]:
    """Which photos show a single colour, bool [N]."""
    return (scan.sizes[:, 0] > 0) & (scan.spreads < BLANK_SPREAD)


def _near_duplicates(scan: Scan) -> NDArray[np.int64]:
    """Groups of near duplicates. Blank pictures look alike without being copies, so each is its own group."""
    groups = np.arange(len(scan.digests))
    seen = np.flatnonzero((scan.sizes[:, 0] > 0) & ~blank(scan))
    found = find_near_duplicates(
        [scan.digests[number] for number in seen], scan.difference_hashes[seen], seen, scan.thumbnails
    )
    groups[seen] = seen[np.asarray(found, np.int64)]
    return groups


def _unlisted(dataset: Dataset) -> Iterator[Finding]:
    """Folders that cannot be listed anywhere below the dataset, and those in class folders that are links."""
    errors: list[OSError] = []
    for _ in os.walk(dataset.root, onerror=errors.append):
        pass
    found = {Path(str(error.filename)): str(error.strerror) for error in errors} | dict(dataset.unlisted)
    for folder, reason in found.items():
        yield Finding(Kind.UNLISTED, (), reason, {"folder": os.path.relpath(folder, dataset.root)})


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
