"""Comparing runs: figures side by side, which photos changed, and whether the difference is more than chance."""

from training.compare.comparison import Comparison, compare_runs
from training.compare.write import write_comparison

__all__ = ["Comparison", "compare_runs", "write_comparison"]
