"""Grids: many runs that differ in a few settings, trained by one command that a kill only interrupts, and compared."""

from training.grid.plan import Cell, plan
from training.grid.work import run_grid

__all__ = ["Cell", "plan", "run_grid"]
