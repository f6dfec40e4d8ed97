"""The photos of a day: where each belongs is known, and told to nobody but the owner."""

import hashlib
import random
from pathlib import Path
from typing import NamedTuple

CAMERA = "outdoor/test"
"""Scenes of another camera than the model's, in class folders."""
NEW = {"receipts": "foreign/receipts"}
"""A class that the model does not know."""
MORE = "scenes/test"
"""Scenes like those that the model has learnt from, in class folders: the rest."""


class Photo(NamedTuple):
    """One photo of the day.

    Attributes:
        path: where its file lies.
        truth: the class where it belongs.
    """

    path: Path
    truth: str


def photos_of_a_day(shared: Path, count: int, seed: int) -> list[Photo]:
    """Return photos in the order in which they come; no two are equal.

    Args:
        shared: folder with the sets of photos.
        count: how many; all of another camera and of the new class first, as far as they reach.
        seed: of the choice and the order.
    """
    rng = random.Random(seed)
    own = [Photo(path, path.parent.name) for path in _files(shared / CAMERA)]
    new = [Photo(path, name) for name, folder in NEW.items() for path in _files(shared / folder)]
    like = [Photo(path, path.parent.name) for path in _files(shared / MORE)]
    rng.shuffle(like)
    every = list({hashlib.sha256(one.path.read_bytes()).digest(): one for one in [*like, *own, *new]}.values())
    chosen = every[::-1][: len(own) + len(new)]
    chosen = (chosen + every)[:count] if count > len(chosen) else rng.sample(chosen, count)
    rng.shuffle(chosen)
    return chosen


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix.lower() in (".jpg", ".png"))
