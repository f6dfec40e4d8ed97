"""The input of a report: everything that its page shows, independent of its source."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from common.text import printable
from training.measure.predictions import Predictions
from training.report.scores import Scores, score, sent_to_review
from training.report.told import Told

SPLIT_WORDS = {"test": "test photos", "val": "validation photos", "train": "training photos", "": "photos"}
_BEST_FIRST = ("test", "val", "", "train")  # the photos least used in training predict best how new photos will do


@dataclass(frozen=True)
class ReportFinding:
    """One line about the data.

    Attributes:
        title: what was checked.
        level: `ok`, `note` or `warning`.
        sentence: the result.
        photos: some photos of the finding, each with a few words.
    """

    title: str
    level: Literal["ok", "note", "warning"]
    sentence: str
    photos: tuple[tuple[Path, str], ...] = ()


@dataclass(frozen=True)
class NextStep:
    """A next step: a sentence, and a command to paste into a shell."""

    sentence: str
    command: str


@dataclass(frozen=True)
class SplitPart:
    """Photos of one split with their predicted probabilities, [N, classes], and scores.

    Attributes:
        sent: bool [N], the photos that the thresholds send to review; None without thresholds.
    """

    split: str
    photos: tuple[Path, ...]
    true: NDArray[np.int64]
    probabilities: NDArray[np.floating[Any]]
    scores: Scores
    sent: NDArray[np.bool_] | None

    @property
    def words(self) -> str:
        """The name of these photos."""
        return SPLIT_WORDS.get(self.split, f"{self.split} photos")

    @cached_property
    def predicted(self) -> NDArray[np.int64]:
        """Predicted class index of each photo."""
        return np.asarray(self.probabilities.argmax(axis=1), np.int64)

    @cached_property
    def top(self) -> NDArray[np.float64]:
        """Probability of the predicted class."""
        return np.asarray(self.probabilities.max(axis=1), np.float64)


@dataclass(frozen=True)
class ReportInput:
    """The content of a report.

    Attributes:
        title: the headline, often the run's name.
        labels: class names in the order of the probabilities.
        predictions: the photos, with their splits; the report goes into the test photos when there are any, else into
            the validation photos, and gives the figures of the other splits beside them.
        root: folder to which shown paths are relative.
        source: one line about the measured model or photos.
        history: rows of history.csv; columns with `accuracy` or `loss` in their names become curves over `epoch`.
        thresholds: per class, the probability below which a photo wants review; empty when there are none.
        findings: about the data.
        card: rows of the model card.
        recipe: all settings, as nested values.
        steps: next steps.
        told: what newer runs tell beside their figures.
    """

    title: str
    labels: Sequence[str]
    predictions: Predictions
    root: Path
    source: str = ""
    history: Sequence[Mapping[str, Any]] = ()
    thresholds: Mapping[str, float] = field(default_factory=dict)
    findings: Sequence[ReportFinding] = ()
    card: Sequence[tuple[str, str]] = ()
    recipe: Mapping[str, Any] = field(default_factory=dict)
    steps: Sequence[NextStep] = ()
    told: Told = field(default_factory=Told)

    @cached_property
    def parts(self) -> tuple[SplitPart, ...]:
        """The splits; the first one is shown in detail."""
        splits = np.array([photo.split for photo in self.predictions.photos])
        ranked = sorted(set(splits.tolist()), key=lambda name: (*_BEST_FIRST, name).index(name))
        return tuple(self._part(split, np.flatnonzero(splits == split)) for split in ranked)

    def _part(self, split: str, numbers: NDArray[np.int64]) -> SplitPart:
        true, probabilities = self.predictions.true[numbers], self.predictions.probabilities[numbers]
        photos = tuple(self.predictions.photos[number].path for number in numbers)
        wanted = [self.thresholds.get(label, 0.0) for label in self.labels]
        sent = sent_to_review(probabilities, wanted) if self.thresholds else None
        return SplitPart(split, photos, true, probabilities, score(true, probabilities, self.labels), sent)

    def shown(self, photo: Path) -> str:
        """The path as shown on the page: relative to the root if possible, and printable."""
        return shown_path(photo, self.root)


def shown_path(photo: Path, root: Path) -> str:
    """The path as shown on a page, printable: relative to the root, and of a photo elsewhere only folder and name.

    A page is handed on, and the folders above tell whose computer it was written on.
    """
    return printable(photo.relative_to(root) if photo.is_relative_to(root) else Path(*photo.parts[-2:]))


def percent(share: float, digits: int = 1) -> str:
    """A share as per cent, with a thin space."""
    return f"{100 * share:.{digits}f}\N{NARROW NO-BREAK SPACE}%"


def count(number: int, noun: str) -> str:
    """A number with its noun in singular or plural."""
    if number == 1:
        return f"1 {noun}"
    plural = f"{noun}es" if noun.endswith(("s", "h")) else f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number:,} {plural}"
