"""What there is to learn with: features of photos, and the memory beside a model."""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from common.errors import PhotoError
from common.text import printable
from contract.geometry import to_input
from contract.memory import Memory, read_memory
from learn.base import Base, features_of
from learn.errors import LearnError
from learn.feature_cache import FeatureCache
from learn.label_file import FiledPhoto, Label
from learn.layer import Floats

Say = Callable[[str, str], None]
"""Called after each step with its name and its result."""


def memory_of(model: Path, base: Base) -> Memory | None:
    """Return the memory of a model's root; None if there is none beside it.

    Raises:
        CompanionError, LearnError: it is damaged, or another model's.
    """
    facts = base.root.contract.memory
    memory = None if facts is None else read_memory(model, facts)
    if memory is not None and (
        memory.width != len(base.root.layer.kernel) or memory.labels != base.root.contract.labels
    ):
        raise LearnError(f"The memory of {printable(model)} is not that of its root. Copy it again.")
    return memory


def photo_features(
    base: Base, labels: Sequence[Label], filed: Sequence[FiledPhoto], say: Say, threads: int, folder: Path
) -> dict[str, Floats]:
    """Features of all photos, from the cache where it has them."""
    wanted: dict[str, list[Path]] = {}
    for sha256, path in (*((one.sha256, one.path) for one in labels), *filed):
        wanted.setdefault(sha256, [])
        if path is not None:
            wanted[sha256].append(path)
    compute, geometry = features_of(base.proto), base.root.contract.geometry

    def _read(path: Path) -> tuple[str, Floats] | None:
        with suppress(OSError, PhotoError):
            data = path.read_bytes()
            pixels = to_input(data, geometry)
            return hashlib.sha256(data).hexdigest(), compute(pixels[None])[0]
        return None

    width = len(base.root.layer.kernel)
    parts = width // base.root.centres.shape[1]
    file = folder / f"{base.root.sha256[:16]}-{base.root.contract.precision}.npz"
    kept = FeatureCache(file, width, parts)
    found = kept.get(wanted, _read, threads)
    kept.save(wanted)
    say("photos", f"features of {len(found):,} of {len(wanted):,} photos")
    return found
