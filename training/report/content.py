"""What a report is made of: everything that its page shows, and nothing of where it came from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from contract.text import printable
from training.measure.predictions import Predictions
from training.report.scores import Scores, score, sent_to_review

SPLIT_WORDS = {"test": "test photos", "val": "validation photos", "train": "training photos", "": "photos"}
_BEST_FIRST = ("test", "val", "", "train")  # what was kept apart longest says most about photos to come


@dataclass(frozen=True)
class Finding:
    """One line about the data.

    title: what was looked at. level: `ok`, `note` or `warning`. sentence: what was found.
    photos: some of those it is about, each with a few words.
    """

    title: str
    level: Literal["ok", "note", "warning"]
    sentence: str
    photos: tuple[tuple[Path, str], ...] = ()


@dataclass(frozen=True)
class Step:
    """A way to go on: a sentence and the command for it, ready to paste into a shell."""

    sentence: str
    command: str


@dataclass(frozen=True)
class Part:
    """Photos of one split with the probabilities that they got, [N, classes], and what follows from them.

    sent: bool [N], which of them the thresholds send to review; None without thresholds.
    """

    split: str
    photos: tuple[Path, ...]
    true: NDArray[np.int64]
    probabilities: NDArray[np.floating[Any]]
    scores: Scores
    sent: NDArray[np.bool_] | None

    @property
    def words(self) -> str:
        """What to call these photos."""
        return SPLIT_WORDS.get(self.split, f"{self.split} photos")

    @cached_property
    def predicted(self) -> NDArray[np.int64]:
        """Class index that each photo was taken for."""
        return np.asarray(self.probabilities.argmax(axis=1), np.int64)

    @cached_property
    def top(self) -> NDArray[np.float64]:
        """Probability of that class."""
        return np.asarray(self.probabilities.max(axis=1), np.float64)


@dataclass(frozen=True)
class ReportInput:
    """What to write a report of.

    title: the headline, often the run's name. labels: class names in the order of the probabilities.
    predictions: the photos, with their splits; the report goes into the test photos when there are any, else into
        the validation photos, and gives the figures of the other splits beside them.
    root: paths are shown relative to it. source: one line on what was measured.
    history: rows of history.csv; columns with `accuracy` or `loss` in their names become curves over `epoch`.
    thresholds: per class, the probability below which a photo wants review; empty when there are none.
    findings: about the data. card: rows of the model card. recipe: all settings, as nested values. steps: how to go on.
    """

    title: str
    labels: Sequence[str]
    predictions: Predictions
    root: Path
    source: str = ""
    history: Sequence[Mapping[str, Any]] = ()
    thresholds: Mapping[str, float] = field(default_factory=dict)
    findings: Sequence[Finding] = ()
    card: Sequence[tuple[str, str]] = ()
    recipe: Mapping[str, Any] = field(default_factory=dict)
    steps: Sequence[Step] = ()

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """The splits, the one to go into first."""
        splits = np.array([photo.split for photo in self.predictions.photos])
        ranked = sorted(set(splits.tolist()), key=lambda name: (*_BEST_FIRST, name).index(name))
        return tuple(self._part(split, np.flatnonzero(splits == split)) for split in ranked)

    def _part(self, split: str, numbers: NDArray[np.int64]) -> Part:
        true, probabilities = self.predictions.true[numbers], self.predictions.probabilities[numbers]
        photos = tuple(self.predictions.photos[number].path for number in numbers)
        wanted = [self.thresholds.get(label, 0.0) for label in self.labels]
        sent = sent_to_review(probabilities, wanted) if self.thresholds else None
        return Part(split, photos, true, probabilities, score(true, probabilities, self.labels), sent)

    def shown(self, photo: Path) -> str:
        """The path as the page names it: below the root where it is, and printable."""
        return printable(photo.relative_to(self.root) if photo.is_relative_to(self.root) else photo)


def percent(share: float, digits: int = 1) -> str:
    """A share as per cent, with a thin space."""
    return f"{100 * share:.{digits}f}\N{NARROW NO-BREAK SPACE}%"


def count(number: int, noun: str) -> str:
    """A number with its noun, in the plural where it is not one."""
    if number == 1:
        return f"1 {noun}"
    plural = f"{noun}es" if noun.endswith(("s", "h")) else f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number:,} {plural}"
