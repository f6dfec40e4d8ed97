"""The comparison of runs, shown by terminal, JSON and page."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.compare.pairs import RunPair, compare_pair, notes_on
from training.compare.runs import ComparedRun, differing_settings, load_compared_runs


@dataclass(frozen=True)
class Comparison:
    """Runs in the given order; each run after the first is paired with the first.

    Attributes:
        settings: (name, value in each run) of those that differ.
        notes: caveats about the metrics.
    """

    runs: tuple[ComparedRun, ...]
    pairs: tuple[RunPair, ...]
    settings: tuple[tuple[str, list[str]], ...]
    notes: tuple[str, ...]

    @property
    def words(self) -> str:
        """The name of the compared photos."""
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
        RunError: a run cannot be read, or is given twice.
    """
    runs = load_compared_runs(paths)
    notes = notes_on(runs)
    pairs = []
    for other in runs[1:]:
        pair, matching = compare_pair(runs[0], other)
        pairs.append(pair)
        notes += matching
    return Comparison(runs, tuple(pairs), tuple(differing_settings(runs)), tuple(notes))
