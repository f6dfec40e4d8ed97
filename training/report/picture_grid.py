"""One picture of example predictions: mistakes and hits of all classes, the same ones every time."""

import io
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from common.errors import PhotoError
from common.publish import publish_bytes
from common.text import printable
from contract.geometry import Geometry, to_input
from training.measure.predictions import Predictions

GRID = "picture_grid.png"
PHOTOS = 24
COLUMNS = 6
SIDE_PX, GAP_PX, WORDS_PX = 192, 12, 50
GREEN, ORANGE = "#0b6b57", "#b03f0c"

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

_BEST_FIRST = ("test", "val")


def write_picture_grid(folder: Path, predictions: Predictions, labels: tuple[str, ...]) -> Path:
    """Write picture_grid.png into `folder`: at most 24 test photos, or validation photos if there are none.

    It contains only decoded pixels: no EXIF, location or camera.

    Raises:
        OSError: the folder cannot be written.
    """
    file = io.BytesIO()
    _draw(predictions, choose(predictions), labels).save(file, "PNG")
    publish_bytes(folder / GRID, file.getvalue())
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


def _draw(predictions: Predictions, chosen: list[int], labels: tuple[str, ...]) -> Image.Image:
    rows = -(-len(chosen) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * (SIDE_PX + GAP_PX) + GAP_PX, rows * (SIDE_PX + WORDS_PX) + GAP_PX), "white")
    canvas, font = ImageDraw.Draw(sheet), _font()
    for place, number in enumerate(chosen):
        left, top = GAP_PX + place % COLUMNS * (SIDE_PX + GAP_PX), place // COLUMNS * (SIDE_PX + WORDS_PX)
        true, row = predictions.photos[number].label, predictions.probabilities[number]
        taken = int(row.argmax())
        said = [("", taken)] if taken == true else [("", taken), ("is ", true)]
        for line, (before, label) in enumerate(said):
            words = _fitting(f"{before}{labels[label]}", f" {100 * row[label]:.0f} %", font)
            canvas.text((left, top + 10 + 19 * line), words, GREEN if taken == true else ORANGE, font)
        sheet.paste(_photo(predictions.photos[number].path), (left, top + WORDS_PX))
    return sheet


def _fitting(name: str, share: str, font: Font) -> str:
    """Name and share, the name cut where both are wider than a photo."""
    cut = printable(name)
    while font.getlength(cut + share) > SIDE_PX:
        cut = f"{cut[:-2]}\N{HORIZONTAL ELLIPSIS}"
    return cut + share


def _font() -> Font:
    """A font of the system, which has most alphabets; otherwise Pillow's own, which has the English one only."""
    with suppress(OSError):
        return ImageFont.truetype("DejaVuSans.ttf", 15)
    return ImageFont.load_default(15)


def _photo(photo: Path) -> Image.Image:
    """The photo in a square; grey if it cannot be read any more."""
    try:
        return Image.fromarray(to_input(photo, Geometry("letterbox", SIDE_PX)))
    except PhotoError:
        return Image.new("RGB", (SIDE_PX, SIDE_PX), (200, 200, 200))
