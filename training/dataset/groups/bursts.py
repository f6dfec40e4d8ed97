"""Photos of one class that one camera took within seconds: they show the same thing, and are often no near copies."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training.dataset.layout import Photo

GAP_S = 5
"""The longest time from one photo of a burst to the next one. It was chosen without data: who presses again within
seconds takes the same thing again, and a group too many costs less than a twin on the other side."""

Ints = NDArray[np.int64]


def bursts(photos: Sequence[Photo], captures: Ints) -> list[int]:
    """The number of the burst that each photo belongs to; 0 if it belongs to none.

    Args:
        captures: camera and time of each photo, int64 [N, 2] (training.dataset.groups.capture.Capture).
    """
    camera, taken_ms = captures.T
    label = np.fromiter((photo.label for photo in photos), np.int64, len(photos))
    order = np.lexsort((taken_ms, camera, label))
    order = order[camera[order] != 0]
    apart = (np.diff(label[order]) != 0) | (np.diff(camera[order]) != 0) | (np.diff(taken_ms[order]) > GAP_S * 1000)
    number = np.cumsum(np.concatenate([np.ones(min(1, len(order)), np.int64), apart]))
    number[np.bincount(number)[number] < 2] = 0
    found = np.zeros(len(photos), np.int64)
    found[order] = number
    numbers: list[int] = found.tolist()
    return numbers
