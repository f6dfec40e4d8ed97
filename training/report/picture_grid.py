"""One picture of example predictions: mistakes and hits of all classes, the same ones every time."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from common.errors import PhotoError
from common.publish import publish_bytes
from contract.geometry import Geometry, to_input
from training.measure.predictions import Predictions
from training.report.pictures import GREEN, ORANGE, clipped, png

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GRID = "picture_grid.png"
PHOTOS = 24
COLUMNS = 6
SIDE_PX = 192
_BEST_FIRST = ("test", "val")


def write_picture_grid(folder: Path, predictions: Predictions, labels: tuple[str, ...]) -> Path:
    """Write picture_grid.png into `folder`: at most 24 test photos, or validation photos if there are none.

    It contains only decoded pixels: no EXIF, location or camera.

    Raises:
        OSError: the folder cannot be written.
    """
    chosen = choose(predictions)
    publish_bytes(folder / GRID, png(lambda figure: _draw(figure, predictions, chosen, labels)))
    return folder / GRID


def choose(predictions: Predictions) -> list[int]:
    """Indices of up to 24 photos, evenly from all classes; half of them are mistakes, if there are enough.

    They are sorted by class, in the order of the predictions. The same predictions give the same choice.
    """
    splits = np.array([photo.split for photo in predictions.photos])
    split = next((name for name in _BEST_FIRST if (splits == name).any()), "")
    true = predictions.true
    right = predictions.probabilities.argmax(axis=1) == true
    own = np.flatnonzero(splits == split)
    own = own[np.argsort(true[own], kind="stable")]
    wrong, good = own[~right[own]], own[right[own]]
    mistakes = min(len(wrong), max(PHOTOS // 2, PHOTOS - len(good)))
    picked = {*_evenly(wrong, mistakes), *_evenly(good, PHOTOS - mistakes)}
    return [int(number) for number in own if int(number) in picked]


def _evenly(numbers: NDArray[np.int64], wanted: int) -> list[int]:
    """Pick `wanted` of the numbers, evenly spaced; all if there are not more."""
    if len(numbers) <= wanted:
        return [int(number) for number in numbers]
    return [int(numbers[place * len(numbers) // wanted]) for place in range(wanted)]


def _draw(figure: "Figure", predictions: Predictions, chosen: list[int], labels: tuple[str, ...]) -> None:
    rows = -(-len(chosen) // COLUMNS)
    figure.set_size_inches(2.0 * COLUMNS, 2.45 * rows)
    places = np.ravel(figure.subplots(rows, COLUMNS, squeeze=False))
    for axes in places:
        axes.set_axis_off()
    for axes, number in zip(places, chosen, strict=False):
        true, row = predictions.photos[number].label, predictions.probabilities[number]
        taken = int(row.argmax())
        axes.imshow(_pixels(predictions.photos[number].path))
        words = f"{clipped(labels[taken])} {100 * row[taken]:.0f} %"
        if taken != true:
            words += f"\nis {clipped(labels[true])} {100 * row[true]:.0f} %"
        axes.set_title(words, fontsize=8.5, color=GREEN if taken == true else ORANGE, parse_math=False)


def _pixels(photo: Path) -> NDArray[np.uint8]:
    """The photo in a square; grey if it cannot be read any more."""
    try:
        return to_input(photo, Geometry("letterbox", SIDE_PX))
    except PhotoError:
        return np.full((SIDE_PX, SIDE_PX, 3), 200, np.uint8)
