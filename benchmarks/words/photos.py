"""Photos as a model sees them, and people's words about them."""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from contract.fingerprint import difference_hash, fingerprint_of
from contract.geometry import Pixels, to_input
from contract.session import Model
from daemon.photo import Embedding
from daemon.words.word import Word

NAME = "IMG_1.jpg"
"""Of every photo: the worst case, because near duplicates must have one name or be of one hour."""


class Shown(NamedTuple):
    """A photo.

    Attributes:
        path: its file, or what stands for it.
        sha256: of its bytes.
        pixels: uint8 [S, S, 3].
        bits: its difference hash.
    """

    path: Path
    sha256: str
    pixels: Pixels
    bits: int

    @classmethod
    def of(cls, path: Path, data: bytes, model: Model) -> "Shown":
        """Decode a photo as the daemon does."""
        pixels = to_input(data, model.contract.geometry)
        return cls(path, hashlib.sha256(data).hexdigest(), pixels, difference_hash(pixels))


def files(folder: Path) -> Iterator[Path]:
    """The photos below a folder, in order."""
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def shown(folders: Iterable[Path], model: Model, every: int = 1) -> list[Shown]:
    """The photos below folders, or every so many-th of them."""
    paths = [path for folder in folders for path in files(folder)][::every]
    return [Shown.of(path, path.read_bytes(), model) for path in paths]


def embedding(photo: Shown, model: Model) -> Embedding:
    """What the model tells of a photo, as the daemon keeps it."""
    answer = model.answer(photo.pixels[np.newaxis])
    assert answer.embedding is not None
    assert model.contract.familiarity is not None
    return Embedding(model.contract.familiarity.id, answer.embedding[0].astype("<f2").tobytes())


def word(photo: Shown, model: Model, label: str) -> Word:
    """A person's word about a photo."""
    return Word(label, photo.sha256, fingerprint_of(photo.pixels), embedding(photo, model), None, NAME)
