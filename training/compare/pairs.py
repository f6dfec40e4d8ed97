"""Two runs on the same photos: which ones changed, and whether the difference is more than chance."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from os.path import relpath
from pathlib import Path
from typing import Any

from contract.text import printable
from training.compare.measured import Measured

_Z = 1.959964  # 95 %, both sides


@dataclass(frozen=True)
class Change:
    """A photo that one run gets right and the other wrong. before, after: (class it was taken for, how surely)."""

    photo: Path
    true: str
    before: tuple[str, float]
    after: tuple[str, float]


@dataclass(frozen=True)
class Pair:
    """A run against the reference, on the photos that both measured.

    gained: wrong before, right now. lost: right before, wrong now. Both: the surest wrong answer first.
    p_value: McNemar's exact test of both being as often right; None where the classes differ, which makes one of the
    tasks easier, or where there are no common photos. difference: of the accuracies, with its 95 % interval.
    """

    reference: str
    other: str
    photos: int
    both_right: int
    gained: tuple[Change, ...]
    lost: tuple[Change, ...]
    p_value: float | None
    difference: float
    interval: tuple[float, float]

    def sentence(self) -> str:
        """What the pair says, in words."""
        if not self.photos:
            return (
                f"{self.other} and {self.reference} have no photos in common: their accuracies stand side by side only."
            )
        low, high = (f"{100 * bound:+.1f}" for bound in self.interval)
        counts = f"{len(self.gained)} photos gained, {len(self.lost)} lost, of {self.photos:,} in common"
        points = f"{100 * self.difference:+.1f} points (95 % interval {low} to {high})"
        if self.p_value is None:
            return (
                f"{self.other} against {self.reference}: {points}; {counts}. Their classes differ, so no test is made."
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


def _plain(change: Change) -> dict[str, str]:
    return {
        "path": printable(change.photo),
        "true": change.true,
        "before": change.before[0],
        "after": change.after[0],
    }


def compare_pair(reference: Measured, other: Measured) -> tuple[Pair, list[str]]:
    """Compare two runs photo by photo; also returns what to know about how the photos were matched."""
    notes: list[str] = []
    common = _common(reference, other, notes)
    gained: list[Change] = []
    lost: list[Change] = []
    both_right = 0
    for one, two in common:
        change = _change(reference, one, other, two)
        was, now = (taken == change.true for taken, _ in (change.before, change.after))
        both_right += was and now
        if was != now:
            (gained if now else lost).append(change)
    tested = bool(common) and set(reference.run.labels) == set(other.run.labels)
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
    )
    return pair, notes


def _common(reference: Measured, other: Measured, notes: list[str]) -> list[tuple[int, int]]:
    """Places of the photos that both runs measured under the same class name, by path, or by place in the dataset."""
    pair = f"{reference.name} and {other.name}"
    matched = _matched(_by_path(reference), _by_path(other))
    if not matched:
        matched = _matched(_by_place(reference), _by_place(other))
        if matched:
            notes.append(f"{pair} have different dataset folders: photos are matched by their place in them.")
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


def _by_path(run: Measured) -> dict[str, int]:
    return {str(photo): place for place, photo in enumerate(run.part.photos)}


def _by_place(run: Measured) -> dict[str, int]:
    return {relpath(photo, run.run.dataset): place for place, photo in enumerate(run.part.photos)}


def _change(reference: Measured, one: int, other: Measured, two: int) -> Change:
    return Change(
        photo=other.part.photos[two],
        true=other.run.labels[other.part.true[two]],
        before=(reference.run.labels[reference.part.predicted[one]], float(reference.part.top[one])),
        after=(other.run.labels[other.part.predicted[two]], float(other.part.top[two])),
    )


def mcnemar(gained: int, lost: int) -> float:
    """Probability of a difference at least this large if both were as often right: the exact, two-sided test.

    Source: Q. McNemar, Psychometrika 12, 1947, in its exact (binomial) form.
    """
    from scipy.stats import binomtest

    return float(binomtest(gained, gained + lost, 0.5).pvalue) if gained + lost else 1.0


def difference_interval(gained: int, lost: int, photos: int) -> tuple[float, float]:
    """95 % interval of the difference of two accuracies on the same photos; (-1, 1) without any.

    Source: Agresti and Min, Statistics in Medicine 24, 2005: Wald's, after half a photo is added to each of the four
    cells (right or wrong, before and after).
    """
    if not photos:
        return -1.0, 1.0
    total, up, down = photos + 2, gained + 0.5, lost + 0.5
    centre = (up - down) / total
    spread = _Z * sqrt(up + down - (up - down) ** 2 / total) / total
    return max(-1.0, centre - spread), min(1.0, centre + spread)


def notes_on(runs: Sequence[Measured]) -> list[str]:
    """What a reader must know before the figures of these runs are set side by side."""
    notes = []
    if len({frozenset(run.run.labels) for run in runs}) > 1:
        notes.append("The runs know different classes: their accuracies answer different questions.")
    if len({frozenset(run.part.photos) for run in runs}) > 1:
        words = runs[0].part.words
        notes.append(f"The runs were measured on different {words}: only the common ones are compared photo by photo.")
    elif len({run.run.data_hash for run in runs}) > 1:
        notes.append("The runs were trained on different data, or on other sides of it.")
    if runs[0].part.split == "val":
        notes.append(
            "Validation photos chose epochs and temperatures, so all accuracies on them are a little too good."
        )
    if len(runs) > 3:
        notes.append("Of twenty comparisons without any difference, one is expected at p below 0.05.")
    return notes
