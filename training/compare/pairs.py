"""Compare two runs on the same photos, and test whether the difference is more than chance."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from os.path import relpath
from pathlib import Path
from typing import Any

from common.text import printable
from training.compare.runs import ComparedRun

_Z = 1.959964  # 95 %, both sides


@dataclass(frozen=True)
class ChangedPhoto:
    """A photo that one run classifies right and the other wrong.

    Attributes:
        before, after: (predicted class, probability) in the reference and in the other run.
    """

    photo: Path
    true: str
    before: tuple[str, float]
    after: tuple[str, float]


@dataclass(frozen=True)
class RunPair:
    """A run against the reference, on the photos that both measured.

    Attributes:
        gained: photos wrong in the reference and right in the other run, the most certain mistake first.
        lost: photos right in the reference and wrong in the other run, the most certain mistake first.
        p_value: McNemar's exact test of equal accuracy; None if the classes differ (one task is then easier) or no
            photos are common.
        difference: difference of the accuracies.
        interval: 95 % interval of the difference.
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

    def sentence(self) -> str:
        """The result in words."""
        if not self.photos:
            return f"{self.other} and {self.reference} have no photos in common, so the difference cannot be tested."
        low, high = (f"{100 * bound:+.1f}" for bound in self.interval)
        counts = f"{len(self.gained)} photos gained, {len(self.lost)} lost, of {self.photos:,} in common"
        points = f"{100 * self.difference:+.1f} points (95 % interval {low} to {high})"
        if self.p_value is None:
            return (
                f"{self.other} against {self.reference}: {points}; {counts}. Their classes differ, so the difference"
                " is not tested."
            )
        verdict = "more than chance explains" if self.p_value < 0.05 else "no more than chance explains"
        return f"{self.other} against {self.reference}: {points}; {counts}. p = {self.p_value:.3f}, {verdict}."

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


def _plain(change: ChangedPhoto) -> dict[str, str]:
    return {
        "path": printable(change.photo),
        "true": change.true,
        "before": change.before[0],
        "after": change.after[0],
    }


def compare_pair(reference: ComparedRun, other: ComparedRun) -> tuple[RunPair, list[str]]:
    """Compare two runs photo by photo; also returns caveats about the matching of photos."""
    notes: list[str] = []
    common = _common(reference, other, notes)
    gained: list[ChangedPhoto] = []
    lost: list[ChangedPhoto] = []
    both_right = 0
    for one, two in common:
        change = _change(reference, one, other, two)
        was, now = (taken == change.true for taken, _ in (change.before, change.after))
        both_right += was and now
        if was != now:
            (gained if now else lost).append(change)
    tested = bool(common) and set(reference.run.labels) == set(other.run.labels)
    pair = RunPair(
        reference=reference.name,
        other=other.name,
        photos=len(common),
        both_right=both_right,
        gained=tuple(sorted(gained, key=lambda change: -change.before[1])),
        lost=tuple(sorted(lost, key=lambda change: -change.after[1])),
        p_value=mcnemar(len(gained), len(lost)) if tested else None,
        difference=(len(gained) - len(lost)) / len(common) if common else 0.0,
        interval=difference_interval(len(gained), len(lost), len(common)),
    )
    return pair, notes


def _common(reference: ComparedRun, other: ComparedRun, notes: list[str]) -> list[tuple[int, int]]:
    """Indices of the photos that both runs measured with the same label, matched by path or by path in the dataset."""
    pair = f"{reference.name} and {other.name}"
    matched = _matched(_by_path(reference), _by_path(other))
    if not matched:
        matched = _matched(_by_place(reference), _by_place(other))
        if matched:
            notes.append(f"{pair} have different dataset folders, so photos are matched by their paths in them.")
    same = [
        (one, two)
        for one, two in matched
        if reference.run.labels[reference.part.true[one]] == other.run.labels[other.part.true[two]]
    ]
    if len(same) < len(matched):
        notes.append(
            f"{len(matched) - len(same)} photos that {pair} label differently are left out of their comparison."
        )
    return same


def _matched(one: dict[str, int], two: dict[str, int]) -> list[tuple[int, int]]:
    return [(place, two[key]) for key, place in one.items() if key in two]


def _by_path(run: ComparedRun) -> dict[str, int]:
    return {str(photo): place for place, photo in enumerate(run.part.photos)}


def _by_place(run: ComparedRun) -> dict[str, int]:
    return {relpath(photo, run.run.dataset): place for place, photo in enumerate(run.part.photos)}


def _change(reference: ComparedRun, one: int, other: ComparedRun, two: int) -> ChangedPhoto:
    return ChangedPhoto(
        photo=other.part.photos[two],
        true=other.run.labels[other.part.true[two]],
        before=(reference.run.labels[reference.part.predicted[one]], float(reference.part.top[one])),
        after=(other.run.labels[other.part.predicted[two]], float(other.part.top[two])),
    )


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


def notes_on(runs: Sequence[ComparedRun]) -> list[str]:
    """Caveats about comparing the metrics of these runs."""
    notes = []
    if len({frozenset(run.run.labels) for run in runs}) > 1:
        notes.append("The runs have different classes, so their accuracies answer different questions.")
    if len({frozenset(run.part.photos) for run in runs}) > 1:
        words = runs[0].part.words
        notes.append(f"The runs were measured on different {words}: only the common ones are compared.")
    elif len({run.run.data_hash for run in runs}) > 1:
        notes.append("The runs were trained on different data, or on different splits of it.")
    if runs[0].part.split == "val":
        notes.append(
            "Validation photos also selected epochs and temperatures, so all accuracies on them are slightly too high."
        )
    if len(runs) > 3:
        notes.append("Of twenty comparisons without a real difference, one is expected to have p below 0.05.")
    return notes
