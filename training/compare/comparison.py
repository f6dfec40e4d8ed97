"""Runs side by side, as one value that the terminal, JSON and the page show."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.compare.measured import Measured, differing_settings, measure_runs
from training.compare.pairs import Pair, compare_pair, notes_on


@dataclass(frozen=True)
class Comparison:
    """The runs as they were given, each but the first paired with the first.

    settings: (name, value in each run) of those that differ. notes: what to know before reading the figures.
    """

    runs: tuple[Measured, ...]
    pairs: tuple[Pair, ...]
    settings: tuple[tuple[str, list[str]], ...]
    notes: tuple[str, ...]

    @property
    def words(self) -> str:
        """What the photos are that it is on."""
        return self.runs[0].part.words

    @property
    def best(self) -> float:
        """The highest accuracy among the runs."""
        return max(run.part.scores.metrics.accuracy for run in self.runs)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "photos": self.words,
            "runs": [run.to_dict() for run in self.runs],
            "pairs": [pair.to_dict() for pair in self.pairs],
            "settings": {name: dict(zip((run.name for run in self.runs), values, strict=True)) for name, values in
                         self.settings},
            "notes": list(self.notes),
        }  # fmt: skip


def compare_runs(paths: Sequence[Path]) -> Comparison:
    """Compare runs, two or more; the first is the reference.

    Raises:
        RunError: one of them cannot be read, or stands twice among them.
    """
    runs = measure_runs(paths)
    notes = notes_on(runs)
    pairs = []
    for other in runs[1:]:
        pair, matching = compare_pair(runs[0], other)
        pairs.append(pair)
        notes += matching
    return Comparison(runs, tuple(pairs), tuple(differing_settings(runs)), tuple(notes))
