"""The results of a grid: the outcomes of its cells, sorted by validation accuracy."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.grid.folder import FORMAT, grid_identity
from training.grid.outcome import SPLITS, CellOutcome, CellState
from training.recipe.recipe_file import Grid

_ORDER = list(CellState)


@dataclass(frozen=True)
class GridResults:
    """Results of a grid.

    Attributes:
        outcomes: outcome of every cell, the best first; cells without metrics come last.
    """

    folder: Path
    grid: Grid
    outcomes: tuple[CellOutcome, ...]

    @property
    def finished(self) -> tuple[CellOutcome, ...]:
        """The finished cells, the best first."""
        return tuple(outcome for outcome in self.outcomes if outcome.state is CellState.FINISHED)

    @property
    def failed(self) -> tuple[CellOutcome, ...]:
        """The cells that failed."""
        return tuple(outcome for outcome in self.outcomes if outcome.state is CellState.FAILED)

    @property
    def best(self) -> CellOutcome | None:
        """The cell with the highest validation accuracy."""
        return next(iter(self.finished), None)

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits for which any cell has metrics."""
        return tuple(side for side in SPLITS if any(side in outcome.figures for outcome in self.finished))

    @property
    def uneven(self) -> bool:
        """Whether the classes differ so much in size that macro recall stands beside the accuracy."""
        return any(outcome.figures["validation"].uneven for outcome in self.finished)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "format": FORMAT,
            **grid_identity(self.grid),
            "best": self.best.cell.name if self.best else None,
            "cells": [outcome.to_dict() for outcome in self.outcomes],
        }


def results_of(folder: Path, grid: Grid, outcomes: Iterable[CellOutcome]) -> GridResults:
    """Sort the outcomes."""
    ranked = sorted(outcomes, key=lambda outcome: (_ORDER.index(outcome.state), outcome.rank))
    return GridResults(folder, grid, tuple(ranked))
