"""Photos for the broad network: found in folders and lists, told apart by size, and cut at random."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from common.errors import PhotoError
from common.text import printable
from contract.formats import has_photo_name
from contract.geometry import Geometry, Pixels, to_input
from contract.readers.opening import DAMAGED, open_picture
from training.dataset.regular_file import regular_file_status
from training.errors import DatasetError
from training.progress import Reporter

CROP = 0.5
"""Least share of a photo's area that a cut keeps."""


@dataclass(frozen=True)
class BroadPhotos:
    """Readable photos, in an order that depends on their paths alone.

    Attributes:
        clean: as large as the input or larger; a cut of one is sharp, so its teacher's features are those to learn.
        small: smaller than the input, so enlarging them blurs them.
        unreadable: files that are no readable photo.
    """

    clean: tuple[Path, ...]
    small: tuple[Path, ...]
    unreadable: tuple[Path, ...]


def find_photos(sources: Sequence[Path], size_px: int, reporter: Reporter) -> BroadPhotos:
    """Find photos: single ones, those of folders with all folders below, and of text files that hold a path a line.

    Raises:
        DatasetError: a source cannot be read, or there is no photo as large as the input.
    """
    paths = sorted({path for source in sources for path in _paths(source)})
    sides: dict[Path, int] = {}
    with reporter.work("Photos", len(paths)) as tick:
        for path in paths:
            sides[path] = _side_of(path)
            tick(1)
    found = BroadPhotos(
        tuple(path for path in paths if sides[path] >= size_px),
        tuple(path for path in paths if 0 < sides[path] < size_px),
        tuple(path for path in paths if not sides[path]),
    )
    if not found.clean:
        raise DatasetError(
            f"None of the {len(paths):,} files found is a photo of at least {size_px} px, and a smaller photo is no"
            " clean example. Add folders of larger photos, or pass a smaller --size-px."
        )
    return found


def _paths(source: Path) -> Iterator[Path]:
    try:
        if has_photo_name(source):
            yield source
        elif source.is_dir():
            yield from (path for path in source.rglob("*") if has_photo_name(path) and path.is_file())
        else:
            lines = source.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
            yield from (source.parent / line for line in lines if line.strip())
    except OSError as error:
        raise DatasetError(
            f"{printable(source)} cannot be read ({error.strerror}). Pass folders of photos, or text files that hold"
            " the path of a photo in each line."
        ) from error


def _side_of(path: Path) -> int:
    try:
        regular_file_status(path)
        return _short_side(path.read_bytes())
    except (OSError, PhotoError, ValueError):  # ValueError: a line of a list that can be no path
        return 0


def _short_side(data: bytes) -> int:
    """The shorter side in pixels; 0 if these are not the bytes of a photo."""
    try:
        return min(open_picture(data).size)
    except DAMAGED:
        return 0


def cut(path: Path, size_px: int, rng: np.random.Generator) -> Pixels:
    """Read a photo, cut at random from one that is larger than the input, and mirror every second one.

    A cut is never enlarged, so that it stays sharp. A photo that is smaller than the input is enlarged whole.

    Raises:
        PhotoError, OSError: it cannot be read any more.
    """
    data = path.read_bytes()
    largest = min(max(_short_side(data), size_px), 2 * size_px)
    photo = Image.fromarray(to_input(data, Geometry("stretch", largest)))
    side = max(size_px, round(largest * float(np.sqrt(rng.uniform(CROP, 1.0)))))
    left, top = rng.integers(0, largest - side + 1, 2)
    part = photo.resize((size_px, size_px), Image.Resampling.BILINEAR, box=(left, top, left + side, top + side))
    pixels: Pixels = np.asarray(part)
    return pixels[:, ::-1] if rng.random() < 0.5 else pixels


def readable(paths: Sequence[Path], size_px: int) -> Iterator[Pixels]:
    """The whole photos that can be read, as the network sees them in use."""
    for path in paths:
        try:
            yield to_input(path, Geometry("stretch", size_px))
        except PhotoError:
            continue
