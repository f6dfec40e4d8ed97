"""A small memory for the tests."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from contract.memory import Memory

WIDTHS = 24, 16


def unit_parts(count: int, widths: tuple[int, ...] = WIDTHS, seed: int = 0) -> NDArray[np.float32]:
    """Features of photos: parts of unit length side by side, float32 [count, sum of widths]."""
    rng = np.random.default_rng((seed, count, *widths))
    parts = [rng.random((count, width)) ** 4 for width in widths]
    return np.hstack([part / np.linalg.norm(part, axis=1, keepdims=True) for part in parts]).astype(np.float32)


def small_memory(**changes: Any) -> Memory:
    """Five anchors, four gate photos and two strangers of the colour model's classes."""
    content: dict[str, Any] = {
        "labels": ("red", "green", "blue"),
        "widths": WIDTHS,
        "anchors": unit_parts(5),
        "gate": (unit_parts(4), np.array([0, 1, 2, 2])),
        "strangers": unit_parts(2, WIDTHS[1:]),
    }
    return Memory.of(**(content | changes))
