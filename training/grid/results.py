"""A grid's results: the outcomes of its cells, the best first by validation photos."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.grid.folder import FORMAT, identity
from training.grid.outcome import SPLITS, Outcome, State
from training.recipe.recipe_file import Grid

_ORDER = list(State)


@dataclass(frozen=True)
class Results:
    """What a grid came to. outcomes: of every cell, the best first, those without figures behind."""

    folder: Path
    grid: Grid
    outcomes: tuple[Outcome, ...]

    @property
    def finished(self) -> tuple[Outcome, ...]:
        """Those with figures, the best first."""
        return tuple(outcome for outcome in self.outcomes if outcome.state is State.FINISHED)

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """Those that ended in an error."""
        return tuple(outcome for outcome in self.outcomes if outcome.state is State.FAILED)

    @property
    def best(self) -> Outcome | None:
        """The one of the highest accuracy on validation photos."""
        return next(iter(self.finished), None)

    @property
    def splits(self) -> tuple[str, ...]:
        """The sides that any of them has figures of."""
        return tuple(side for side in SPLITS if any(side in outcome.figures for outcome in self.finished))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "format": FORMAT,
            **identity(self.grid),
            "best": self.best.cell.name if self.best else None,
            "cells": [outcome.to_dict() for outcome in self.outcomes],
        }


def results_of(folder: Path, grid: Grid, outcomes: Iterable[Outcome]) -> Results:
    """Put outcomes in their order."""
    ranked = sorted(outcomes, key=lambda outcome: (_ORDER.index(outcome.state), outcome.rank))
    return Results(folder, grid, tuple(ranked))
