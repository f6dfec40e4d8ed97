"""Photos for the parity check: validation photos of the run, or drawn pictures if those are missing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from common.drawing import KINDS, draw_scene
from common.errors import PhotoError
from contract.geometry import Geometry, Pixels, to_input

WANTED = 256


@dataclass(frozen=True)
class ParityPhotos:
    """Inputs of the comparison.

    Attributes:
        names: path of each photo, or a description of the drawn picture.
        images: uint8 [n, size_px, size_px, 3].
        drawn: how many of the last images are drawn.
    """

    names: tuple[str, ...]
    images: Pixels
    drawn: int

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
    chosen = [validation[int(i * step)] for i in range(min(wanted, len(validation)))]
    found = [(str(path), pixels) for path in chosen if (pixels := _decoded(path, geometry)) is not None]
    drawn = list(_drawn(geometry, wanted - len(found)))
    names, images = zip(*found, *drawn, strict=True)
    return ParityPhotos(names, np.stack(images), len(drawn))


def _decoded(path: Path, geometry: Geometry) -> Pixels | None:
    try:
        return to_input(path, geometry)
    except PhotoError:
        return None


def _drawn(geometry: Geometry, count: int) -> Iterator[tuple[str, Pixels]]:
    kinds = list(KINDS)
    for seed in range(count):
        kind = kinds[seed % len(kinds)]
        yield f"the drawn {kind} {seed}", to_input(draw_scene(kind, seed), geometry)
