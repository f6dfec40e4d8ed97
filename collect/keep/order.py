"""In which order candidates lie: the likeliest first, and last those that look more like another class.

Likeness is the mean cosine of embeddings to the three nearest photos. A class without own photos has nothing to compare
with: then the candidates are compared with each other, and what is unlike most of them comes last.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from collect.keep.dataset import Own
from collect.keep.eye import Eye, Vector
from common.errors import PhotoError

NEAREST = 3
PER_CLASS = 50
"""Photos of a class that candidates are compared with."""
MOST_CLASSES = 100


class Ranked(NamedTuple):
    """A candidate in its place.

    Attributes:
        likeness: to the class, at most 1.
        more_like: the class that it resembles more; empty if there is none.
        other_likeness: to that class; 0 if there is none.
    """

    path: Path
    likeness: float
    more_like: str = ""
    other_likeness: float = 0.0


def ranked(photos: Sequence[Path], label: str, own: Iterable[Own], eye: Eye) -> list[Ranked]:
    """Return the candidates in their order.

    Args:
        photos: the candidates.
        label: the class that they were collected for.
        own: photos of the dataset; those that are held out are not looked at.
    """
    described = dict(_described(photos, eye))
    if not described:
        return []
    values = np.stack(list(described.values()))
    classes = _classes(own, eye)
    mine = classes.pop(label, None)
    likeness = _among_themselves(values) if mine is None else _likeness(values, mine)
    others = {name: _likeness(values, vectors) for name, vectors in classes.items()} if mine is not None else {}
    found = [_ranked(path, place, float(likeness[place]), others) for place, path in enumerate(described)]
    return sorted(found, key=lambda one: (bool(one.more_like), -one.likeness))


def _ranked(path: Path, place: int, likeness: float, others: Mapping[str, Vector]) -> Ranked:
    name = max(others, key=lambda other: float(others[other][place]), default="")
    most = float(others[name][place]) if name else 0.0
    return Ranked(path, likeness, name, most) if most > likeness else Ranked(path, likeness)


def _classes(own: Iterable[Own], eye: Eye) -> dict[str, NDArray[np.float32]]:
    """Embeddings of the first photos of each class, [at most PER_CLASS, D]."""
    counts = Counter[str]()
    chosen: dict[str, list[Path]] = {}
    for photo in own:
        if photo.held_out or not photo.label or counts[photo.label] >= PER_CLASS:
            continue
        if photo.label in chosen or len(chosen) < MOST_CLASSES:
            counts[photo.label] += 1
            chosen.setdefault(photo.label, []).append(photo.path)
    found = {label: [vector for _, vector in _described(paths, eye)] for label, paths in chosen.items()}
    return {label: np.stack(vectors) for label, vectors in found.items() if vectors}


def _described(photos: Iterable[Path], eye: Eye) -> Iterator[tuple[Path, Vector]]:
    for path in photos:
        try:
            yield path, eye.describe(eye.look(path))
        except PhotoError:
            continue


def _likeness(values: NDArray[np.float32], vectors: NDArray[np.float32]) -> Vector:
    nearest = np.sort(values @ vectors.T, axis=1)[:, -NEAREST:]
    return np.asarray(nearest.mean(axis=1), np.float32)


def _among_themselves(values: NDArray[np.float32]) -> Vector:
    return np.asarray(values @ values.mean(axis=0), np.float32)
