"""Compare two models on the same photos, and test whether the difference is more than chance."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import Any, TypeVar

from common.text import printable
from training.compare.sources import Compared
from training.dataset.digests import Digests
from training.report.content import SplitPart, count

_Key = TypeVar("_Key", str, bytes)
_Z = 1.959964  # 95 %, both sides


@dataclass(frozen=True)
class ChangedPhoto:
    """A photo that one classifies right and the other wrong.

    Attributes:
        before, after: (predicted class, probability) in the reference and in the other.
    """

    photo: Path
    true: str
    before: tuple[str, float]
    after: tuple[str, float]


@dataclass(frozen=True)
class Pair:
    """One against the reference, on the photos that both measured.

    Attributes:
        gained: photos wrong in the reference and right in the other, the most certain mistake first.
        lost: photos right in the reference and wrong in the other, the most certain mistake first.
        p_value: McNemar's exact test of equal accuracy; None if the classes differ (one task is then easier) or no
            photos are common.
        difference: difference of the accuracies.
        interval: 95 % interval of the difference.
        root: the dataset of the other, to which shown paths are relative.
    """

    reference: str
    other: str
    photos: int
    both_right: int
    gained: tuple[ChangedPhoto, ...]
    lost: tuple[ChangedPhoto, ...]
    p_value: float | None
    difference: float
    interval: tuple[float, float]
    root: Path

    def sentence(self) -> str:
        """The result in words."""
        if not self.photos:
            return f"{self.other} and {self.reference} have no photos in common, so the difference cannot be tested."
        low, high = (f"{100 * bound:+.1f}" for bound in self.interval)
        counts = f"{count(len(self.gained), 'photo')} gained, {len(self.lost):,} lost, of {self.photos:,} in common"
        points = f"{100 * self.difference:+.1f} points (95 % interval {low} to {high})"
        if self.p_value is None:
            return (
                f"{self.other} against {self.reference}: {points}; {counts}. Their classes differ, so the difference"
                " is not tested."
            )
        verdict = "more than chance explains" if self.p_value < 0.05 else "no more than chance explains"
        return f"{self.other} against {self.reference}: {points}; {counts}. {_chance(self.p_value)}, {verdict}."

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "reference": self.reference,
            "other": self.other,
            "photos": self.photos,
            "both_right": self.both_right,
            "difference": self.difference,
            "interval": list(self.interval),
            "p_value": self.p_value,
            "gained": [_plain(change) for change in self.gained],
            "lost": [_plain(change) for change in self.lost],
        }


def _chance(p_value: float) -> str:
    return "p < 0.001" if p_value < 0.0005 else f"p = {p_value:.3f}"


def _plain(change: ChangedPhoto) -> dict[str, str]:
    return {
        "path": printable(change.photo),
        "true": change.true,
        "before": change.before[0],
        "after": change.after[0],
    }


@dataclass(frozen=True)
class _Measured:
    """One whose photos are known, ready to be paired."""

    name: str
    labels: tuple[str, ...]
    part: SplitPart
    root: Path
    hashes: Digests | None

    def by_path(self) -> dict[str, int]:
        return {str(photo): place for place, photo in enumerate(self.part.photos)}

    def by_content(self) -> dict[bytes, int]:
        return {digest: place for place, digest in enumerate(self.hashes or ()) if digest}

    def by_place(self) -> dict[str, int]:
        return {os.path.relpath(photo, self.root): place for place, photo in enumerate(self.part.photos)}

    def answer(self, place: int) -> tuple[str, float]:
        return self.labels[int(self.part.predicted[place])], float(self.part.top[place])

    def true(self, place: int) -> str:
        return self.labels[int(self.part.true[place])]


def measured(compared: Sequence[Compared]) -> list[_Measured]:
    """Those whose photos are known, in their order."""
    return [
        _Measured(item.name, item.labels, item.part, item.root, item.hashes.get(item.split))
        for item in compared
        if item.part is not None and item.root is not None
    ]


def compare_pair(reference: _Measured, other: _Measured) -> tuple[Pair, list[str]]:
    """Compare two of `measured` photo by photo; also returns caveats about the matching of photos."""
    notes: list[str] = []
    common = _common(reference, other, notes)
    gained: list[ChangedPhoto] = []
    lost: list[ChangedPhoto] = []
    both_right = 0
    for one, two in common:
        change = ChangedPhoto(other.part.photos[two], other.true(two), reference.answer(one), other.answer(two))
        was, now = (taken == change.true for taken, _ in (change.before, change.after))
        both_right += was and now
        if was != now:
            (gained if now else lost).append(change)
    tested = bool(common) and set(reference.labels) == set(other.labels)
    pair = Pair(
        reference=reference.name,
        other=other.name,
        photos=len(common),
        both_right=both_right,
        gained=tuple(sorted(gained, key=lambda change: -change.before[1])),
        lost=tuple(sorted(lost, key=lambda change: -change.after[1])),
        p_value=mcnemar(len(gained), len(lost)) if tested else None,
        difference=(len(gained) - len(lost)) / len(common) if common else 0.0,
        interval=difference_interval(len(gained), len(lost), len(common)),
        root=other.root,
    )
    return pair, notes


def _common(reference: _Measured, other: _Measured, notes: list[str]) -> list[tuple[int, int]]:
    """Indices of photos that both measured with the same label, matched by path, content, or path in the dataset."""
    pair = f"{reference.name} and {other.name}"
    matched = _matched(reference.by_path(), other.by_path()) or _matched(reference.by_content(), other.by_content())
    if not matched:
        matched = _matched(reference.by_place(), other.by_place())
        if matched:
            notes.append(f"{pair} have different dataset folders, so photos are matched by their paths in them.")
    same = [(one, two) for one, two in matched if reference.true(one) == other.true(two)]
    if len(same) < len(matched):
        notes.append(
            f"{count(len(matched) - len(same), 'photo')} that {pair} label differently: left out of their comparison."
        )
    return same


def _matched(one: Mapping[_Key, int], two: Mapping[_Key, int]) -> list[tuple[int, int]]:
    return [(place, two[key]) for key, place in one.items() if key in two]


def mcnemar(gained: int, lost: int) -> float:
    """Probability of a difference at least this large if both accuracies were equal: the exact, two-sided test.

    Source: Q. McNemar, Psychometrika 12, 1947, in its exact (binomial) form.
    """
    from scipy.stats import binomtest

    return float(binomtest(gained, gained + lost, 0.5).pvalue) if gained + lost else 1.0


def difference_interval(gained: int, lost: int, photos: int) -> tuple[float, float]:
    """95 % interval of the difference of two accuracies on the same photos; (-1, 1) without photos.

    Source: Agresti and Min, Statistics in Medicine 24, 2005: the Wald interval after adding half a photo to each of the
    four cells (right or wrong, before and after).
    """
    if not photos:
        return -1.0, 1.0
    total, up, down = photos + 2, gained + 0.5, lost + 0.5
    centre = (up - down) / total
    spread = _Z * sqrt(up + down - (up - down) ** 2 / total) / total
    return max(-1.0, centre - spread), min(1.0, centre + spread)


def notes_on(compared: Sequence[Compared]) -> list[str]:
    """Caveats about comparing these metrics."""
    notes = [f"{item.name} {words}." for item in compared for words in item.notes]
    parts = [item.part for item in compared if item.part is not None]
    words = dict.fromkeys(item.words for item in compared)
    if len({frozenset(item.labels) for item in compared}) > 1:
        notes.append("They have different classes, so their accuracies answer different questions.")
    if len(words) > 1:
        told = ", ".join(f"{item.name} on {item.words}" for item in compared)
        notes.append(f"They were measured on different kinds of photos: {told}.")
    if len({frozenset(part.photos) for part in parts}) > 1:
        notes.append(f"They were measured on different {' and '.join(words)}: only the common ones are paired.")
    elif len({item.data_hash for item in compared if item.data_hash}) > 1:
        notes.append("They were trained on different data, or on different splits of it.")
    notes += [
        f"{item.name} holds figures without photos, so it is not paired with the others. To pair it, measure it with"
        " `phototriage evaluate --output` and compare that folder."
        for item in compared
        if item.part is None
    ]
    if any(item.split == "val" and item.kind != "evaluation" for item in compared):
        notes.append(
            "Validation photos also selected epochs and temperatures, so all accuracies on them are slightly too high."
        )
    if len(parts) > 3:
        notes.append("Of twenty comparisons without a real difference, one is expected to have p below 0.05.")
    return notes
