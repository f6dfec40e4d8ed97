"""Grids: one command trains and compares many runs that differ in a few settings; it resumes after a kill."""

from training.grid.plan import Cell, plan_cells
from training.grid.work import run_grid

__all__ = ["Cell", "plan_cells", "run_grid"]
