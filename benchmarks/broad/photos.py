"""The photos of the table, and which of them the shipped network learns from."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from contract.geometry import Geometry, Pixels, to_input

KINDS = {
    "receipts": ("receipts",),
    "screens": ("screens-addaxai", "screens-ai-file-sorter", "screens-antennapod", "screens-frigate"),
    "things": ("things",),
    "rooms": ("rooms",),
    "near kinds": ("near-highway", "near-insidecity", "near-opencountry"),
}
"""Pictures of no scene class. `near kinds` are shown and not judged: many of them are scenes of a neighbouring kind."""
SHARP_SCENES = (
    *("water_snake", "aircraft_carrier", "beacon", "boathouse", "breakwater", "canoe", "cliff_dwelling"),
    *("container_ship", "dam", "dome", "gondola", "minibus", "monastery", "mountain_tent", "palace", "park_bench"),
    *("prison", "schooner", "steel_arch_bridge", "stone_wall", "tile_roof", "water_tower", "worm_fence", "yawl"),
    *("promontory", "seashore"),
)
"""The sharp photos that show a scene, sorted by hand from a sheet of all 42 before anything was measured on them."""


@dataclass(frozen=True)
class PhotoSets:
    """The photos below one folder.

    Attributes:
        root: holds scenes, clothing, outdoor, foreign and sharp.
    """

    root: Path

    def labelled(self, name: str, part: str) -> tuple[list[Path], NDArray[np.str_]]:
        """Photos of `NAME/PART/<class>`, and their classes."""
        paths = _files(self.root / name / part)
        return paths, np.array([path.parent.name for path in paths])

    def foreign(self, kind: str) -> list[Path]:
        """The pictures of a kind that the shipped network has not seen: every second one."""
        return [path for folder in KINDS[kind] for path in _files(self.root / "foreign" / folder)[1::2]]

    def sharp_scenes(self) -> list[Path]:
        """Sharp photos that show a scene."""
        return [path for path in _files(self.root / "sharp") if path.stem.partition("_")[2] in SHARP_SCENES]

    def learnt_from(self) -> list[Path]:
        """What the shipped network learns from: training photos, and the other half of the pictures of each kind."""
        halves = [path for folder in sorted((self.root / "foreign").iterdir()) for path in _files(folder)[0::2]]
        return [*_files(self.root / "scenes" / "train"), *_files(self.root / "clothing" / "train"), *halves]


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def pixels(paths: list[Path], size_px: int, shrunk_px: int = 0) -> Pixels:
    """Photos as the network sees them, uint8 [N, S, S, 3]; on wish shrunk first, as small copies are."""
    return np.stack([to_input(shrunk(path, shrunk_px), Geometry("stretch", size_px)) for path in paths])


def shrunk(path: Path, side: int) -> bytes | Path:
    """The photo with a shorter side of `side` px, as JPEG; the path of a photo that is no larger, or for 0."""
    if not side:
        return path
    photo = Image.open(path).convert("RGB")
    if min(photo.size) <= side:
        return path
    scale = side / min(photo.size)
    small = photo.resize((round(photo.width * scale), round(photo.height * scale)), Image.Resampling.BICUBIC)
    stored = io.BytesIO()
    small.save(stored, "JPEG", quality=85)
    return stored.getvalue()
