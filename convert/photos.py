"""The photos on which the export is compared: the run's own validation photos, or drawn ones where those are gone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from contract.drawing import KINDS, draw_scene
from contract.errors import PhotoError
from contract.geometry import Geometry, Pixels, to_input

WANTED = 256


@dataclass(frozen=True)
class Photos:
    """Inputs of the comparison.

    names   path or, for drawn pictures, what was drawn; one each
    images  uint8 [n, size_px, size_px, 3]
    drawn   how many of them, at the end, are drawn
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


def parity_photos(validation: Sequence[Path], geometry: Geometry, wanted: int = WANTED) -> Photos:
    """Take `wanted` photos, evenly spread over the validation set so that every class is seen, and draw what lacks.

    Photos that are gone or no longer decode are left out: what is compared is arithmetic, not the data set.
    """
    step = max(1.0, len(validation) / wanted)
    chosen = [validation[int(i * step)] for i in range(min(wanted, len(validation)))]
    found = [(str(path), pixels) for path in chosen if (pixels := _decoded(path, geometry)) is not None]
    drawn = list(_drawn(geometry, wanted - len(found)))
    names, images = zip(*found, *drawn, strict=True)
    return Photos(names, np.stack(images), len(drawn))


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
