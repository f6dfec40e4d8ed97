"""What there is to learn with: features of photos, and the memory beside a model."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from common.errors import PhotoError
from common.text import printable
from contract.geometry import Geometry, Pixels, to_input
from contract.memory import Memory, read_memory
from learn.errors import LearnError
from learn.feature_cache import FeatureCache, Features, cache_folder
from learn.fitting.layer import Floats
from learn.label_file import FiledPhoto, Label
from learn.model.base import Base
from learn.model.graph import broad_features_of, features_of

MAX_PIXELS = 40_000_000
"""Largest picture in memory of each thread; a JPEG may be larger, because it is decoded at a reduced scale."""
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


class Network(NamedTuple):
    """What gives features of photos.

    Attributes:
        compute: uint8 [N, S, S, 3] -> float32 [N, F].
        geometry: how a photo becomes its input.
        name: of the cache: features of one name are of one network.
        width: F.
        parts: of how many vectors of unit length the features are made.
    """

    compute: Callable[[Pixels], Floats]
    geometry: Geometry
    name: str
    width: int
    parts: int


def network_of(base: Base) -> Network:
    """Return the network under the head of a model; the same for all models that were learnt from one root."""
    root = base.root
    width = len(root.layer.kernel)
    name = f"{root.sha256[:16]}-{root.contract.precision}"
    return Network(
        features_of(base.proto), root.contract.geometry, name, width, width // root.centres.shape[1]
    )  # fmt: skip


def broad_network_of(base: Base) -> Network:
    """Return the broad network inside a model."""
    familiarity = base.root.contract.familiarity
    assert familiarity is not None  # or it would be no base
    name = f"broad-{hashlib.sha256(familiarity.id.encode()).hexdigest()[:16]}"
    return Network(broad_features_of(base.proto), base.root.contract.geometry, name, base.root.centres.shape[1], 1)


def photo_features(
    network: Network,
    labels: Sequence[Label],
    filed: Sequence[FiledPhoto],
    say: Say,
    threads: int,
    folder: Path | None = None,
) -> Features:
    """Return features by SHA-256, from the cache where it has them; photos that cannot be read have none.

    Args:
        network: gives them.
        labels: photos of which something was said.
        filed: other photos.
        say: called with how many there are.
        threads: threads that read photos.
        folder: of the cache; by default that of this user.

    Raises:
        MemoryError: not one photo fits into memory.
    """
    wanted: dict[str, list[Path]] = {}
    named = ((one.sha256, one.path) for one in labels)
    for sha256, path in (*named, *((one.sha256, one.path) for one in filed)):
        wanted.setdefault(sha256, [])
        if path is not None:
            wanted[sha256].append(path)

    too_large: list[Path] = []

    def _read(path: Path) -> tuple[str, Floats] | None:
        try:
            data = path.read_bytes()
            pixels = to_input(data, network.geometry, MAX_PIXELS)
        except (OSError, PhotoError, MemoryError) as error:
            if isinstance(error, MemoryError) or isinstance(error.__cause__, MemoryError):
                too_large.append(path)
            return None
        return hashlib.sha256(data).hexdigest(), network.compute(pixels[None])[0]

    kept = FeatureCache((folder or cache_folder()) / f"{network.name}.npz", network.width, network.parts)
    found = kept.get(wanted, _read, threads)
    kept.save(wanted)
    if too_large and not found:
        raise MemoryError
    left_out = f"; {len(too_large):,} do not fit into memory" if too_large else ""
    say("photos", f"features of {len(found):,} of {len(wanted):,} photos{left_out}")
    return found
