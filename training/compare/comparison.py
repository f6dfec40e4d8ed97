"""The comparison, shown by terminal, JSON and page."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.compare.pairs import Pair, compare_pair, measured, notes_on
from training.compare.sources import Compared, differing_settings, load_compared


@dataclass(frozen=True)
class Comparison:
    """Runs, evaluations and model files in the given order.

    Attributes:
        pairs: the first whose photos are known against each other one whose photos are known.
        settings: (name, value in each) of those that differ.
        notes: caveats about the metrics.
    """

    compared: tuple[Compared, ...]
    pairs: tuple[Pair, ...]
    settings: tuple[tuple[str, list[str]], ...]
    notes: tuple[str, ...]

    @property
    def words(self) -> str:
        """The name of the compared photos."""
        return " and ".join(dict.fromkeys(item.words for item in self.compared))

    @property
    def best(self) -> float:
        """The highest accuracy."""
        return max(item.figures.accuracy for item in self.compared)

    @property
    def uneven(self) -> bool:
        """Whether classes differ so much in size that macro recall stands beside the accuracy."""
        return any(item.figures.uneven for item in self.compared)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        names = [item.name for item in self.compared]
        return {
            "photos": self.words,
            "runs": [item.to_dict() for item in self.compared],
            "pairs": [pair.to_dict() for pair in self.pairs],
            "settings": {name: dict(zip(names, values, strict=True)) for name, values in self.settings},
            "notes": list(self.notes),
        }


def compare_models(paths: Sequence[Path]) -> Comparison:
    """Compare two or more runs, evaluations or model files.

    Raises:
        PhototriageError: one cannot be read, or is given twice.
    """
    compared = load_compared(paths)
    notes = notes_on(compared)
    pairs, paired = [], measured(compared)
    for other in paired[1:]:
        pair, matching = compare_pair(paired[0], other)
        pairs.append(pair)
        notes += matching
    return Comparison(compared, tuple(pairs), tuple(differing_settings(compared)), tuple(notes))
