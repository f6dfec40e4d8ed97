"""Compare runs: metrics, photos whose prediction changed, and a test of the difference."""

from training.compare.comparison import Comparison, compare_runs
from training.compare.write import write_comparison

__all__ = ["Comparison", "compare_runs", "write_comparison"]
