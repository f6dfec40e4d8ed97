"""Drawn photos: as many as wanted, small, no two alike, kept in a cache folder from run to run."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

CLASSES = 10
PER_FOLDER = 1000


def draw_photos(root: Path, count: int) -> Path:
    """The folder with at least a dataset of `count` JPEGs of 40 x 30 pixels in ten classes; drawn once.

    Each shows blocks in its class's colour: noise would make files large, and plain areas twins.
    """
    dataset = root / f"drawn-{count}"
    done = dataset.with_suffix(".done")
    if done.exists():
        return dataset
    colours = np.random.default_rng(0).integers(60, 196, (CLASSES, 3))
    for number in range(count):
        label = number % CLASSES
        folder = dataset / f"class{label}" / f"{number // PER_FOLDER:04d}"
        if number % PER_FOLDER < CLASSES:
            folder.mkdir(parents=True, exist_ok=True)
        _draw(folder / f"photo-{number:07d}.jpg", colours[label], np.random.default_rng(number))
    done.touch()
    return dataset


def _draw(file: Path, colour: Any, rng: np.random.Generator) -> None:
    blocks = (colour + rng.integers(-60, 60, (8, 9, 3))).astype(np.uint8)
    Image.fromarray(blocks).resize((40, 30), Image.Resampling.BILINEAR).save(file, quality=80)
