"""Whether two photos with similar features show the same picture: one is moved over the other until their edges agree.

Features alone find copies of scenes, but all receipts have similar ones, and so have two shirts on one carpet. Light
above and dark below is common, too: so the blurred picture is taken out first, and only edges are compared.

Pages (receipts, scans, screens) resemble each other by hash, by features and by their rough edges, because most of each
is empty and a shop prints one form. So the lines of two pages must agree as they lie.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

SAME = 0.8
"""Correlation of edges from which two photos show the same picture; docs/measurements.md says how it was chosen."""

SAME_LINES = 0.85
"""Correlation of the lines of two pages from which one is a copy; receipts of one form are at 0.8 and below."""

_PAGE_SIDE = 64
_SIDE = 32
_WINDOW = 22  # side of the middle of one photo, which is looked for in the other
_SCALES = (0.8, 0.87, 0.95, 1.0, 1.05, 1.15, 1.25)  # a crop to 80 % and all between
_BLUR_PX = 2  # radius
_LEAST = 2.0  # of 255: weaker edges are noise

Floats = NDArray[np.float32]


def same_picture(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> bool:
    """Whether one photo is the other: moved, mirrored, cropped, brightened or framed.

    Args:
        one: uint8 [S, S, 3].
        other: the same.
    """
    return bool((_middles(one) @ _places(other).T).max() >= SAME)


def same_page(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> bool:
    """Whether the lines of two pages agree, as they lie or mirrored. Pages without lines agree.

    Args:
        one: uint8 [S, S, 3].
        other: the same.
    """
    lines, others = (_edges(photo, min(_PAGE_SIDE, len(photo))) for photo in (one, other))
    if max(lines.std(), others.std()) < _LEAST:
        return True
    both = _unit(np.stack([others, others[:, ::-1]])) @ _unit(lines[None]).T
    return bool(both.max() >= SAME_LINES)


def _middles(photo: NDArray[np.uint8]) -> Floats:
    """The middle of a photo in several scales, as it is and mirrored, [scales * 2, window * window]."""
    middles = []
    for edges in (_edges(photo, round(_SIDE * scale)) for scale in _SCALES):
        start = (len(edges) - _WINDOW) // 2
        middle = edges[start : start + _WINDOW, start : start + _WINDOW]
        middles += [middle, middle[:, ::-1]]
    return _unit(middles)


def _places(photo: NDArray[np.uint8]) -> Floats:
    """Every window of a photo, [places, window * window]."""
    windows = np.lib.stride_tricks.sliding_window_view(_edges(photo, _SIDE), (_WINDOW, _WINDOW))
    return _unit(windows.reshape(-1, _WINDOW, _WINDOW))


def _unit(windows: Sequence[Floats] | Floats) -> Floats:
    flat = np.reshape(windows, (len(windows), -1))
    flat = flat - flat.mean(axis=1, keepdims=True)
    noise = np.sqrt(flat.shape[1]) * _LEAST
    unit: Floats = flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), noise)
    return unit


def _edges(photo: NDArray[np.uint8], side: int) -> Floats:
    grey = Image.fromarray(photo).convert("L").resize((side, side), Image.Resampling.BOX)
    blurred = grey.filter(ImageFilter.BoxBlur(_BLUR_PX))
    edges: Floats = np.asarray(grey, np.float32) - np.asarray(blurred, np.float32)
    return edges
