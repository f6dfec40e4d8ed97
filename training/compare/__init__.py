"""Compare runs, evaluations and model files: metrics, photos whose prediction changed, and a test of the difference."""

from training.compare.comparison import Comparison, compare_models
from training.compare.write import write_comparison

__all__ = ["Comparison", "compare_models", "write_comparison"]
