"""Photos for the parity check: validation photos of the run, or drawn pictures if those are missing."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from common.drawing import KINDS, draw_scene
from common.errors import PhotoError
from contract.geometry import Geometry, Pixels, to_input
from training.dataset.regular_file import regular_file_status

WANTED = 256


@dataclass(frozen=True)
class ParityPhotos:
    """Inputs of the comparison.

    Attributes:
        names: path of each photo, or a description of the drawn picture.
        images: uint8 [n, size_px, size_px, 3].
        drawn: how many of the last images are drawn.
        places: place of each real photo among the validation photos.
        digests: SHA-256 of each real photo.
        missing: number of chosen photos that are gone or cannot be read.
    """

    names: tuple[str, ...]
    images: Pixels
    drawn: int
    places: tuple[int, ...]
    digests: tuple[bytes, ...]
    missing: int

    def __str__(self) -> str:
        real = len(self.names) - self.drawn
        parts = [f"{real} validation photos"] if real else []
        if self.drawn:
            parts.append(f"{self.drawn} drawn pictures (validation photos: {'too few' if real else 'gone'})")
        return " and ".join(parts)


def parity_photos(validation: Sequence[Path], geometry: Geometry, wanted: int = WANTED) -> ParityPhotos:
    """Take `wanted` photos, evenly spread over the validation set so that every class occurs, and draw missing ones.

    Photos that are missing or do not decode are left out, because the check compares arithmetic, not accuracy.
    """
    step = max(1.0, len(validation) / wanted)
    chosen = [int(i * step) for i in range(min(wanted, len(validation)))]
    found = [(place, *read) for place in chosen if (read := read_photo(validation[place], geometry)) is not None]
    real = [(str(validation[place]), pixels) for place, _, pixels in found]
    drawn = list(_drawn(geometry, wanted - len(real)))
    names, images = zip(*real, *drawn, strict=True)
    places, digests = tuple(place for place, _, _ in found), tuple(digest for _, digest, _ in found)
    return ParityPhotos(names, np.stack(images), len(drawn), places, digests, len(chosen) - len(found))


def read_photo(path: Path, geometry: Geometry) -> tuple[bytes, Pixels] | None:
    """SHA-256 of a photo, and its pixels; None if it cannot be read."""
    try:
        regular_file_status(path)
        data = path.read_bytes()
        return hashlib.sha256(data).digest(), to_input(data, geometry)
    except (PhotoError, OSError):
        return None


def _drawn(geometry: Geometry, count: int) -> Iterator[tuple[str, Pixels]]:
    kinds = list(KINDS)
    for seed in range(count):
        kind = kinds[seed % len(kinds)]
        yield f"the drawn {kind} {seed}", to_input(draw_scene(kind, seed), geometry)
