"""Which photos are measured: those of the classes, those of the classes by other cameras, and strangers by kind."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.broad.photos import KINDS, PhotoSets, shrunk
from training.dataset.foreign import find_foreign
from training.dataset.layout import Photo, find_dataset

NEAR = "near kinds"
"""Shown and not judged: many of these pictures are scenes of a neighbouring kind."""
SHORT = 10


@dataclass(frozen=True)
class Sets:
    """What is measured.

    Attributes:
        classes: photos of the classes, by the labels of the model.
        elsewhere: paths of more photos of the classes, by name: they should be filed.
        strangers: paths of pictures of no class, by kind.
    """

    classes: Callable[[Sequence[str]], list[Photo]]
    elsewhere: Mapping[str, list[Path]]
    strangers: Mapping[str, list[Path]]


def chosen_sets(arguments: argparse.Namespace) -> Sets:
    """The sets that the options ask for."""
    step = SHORT if arguments.short else 1
    if arguments.shared is None:
        kinds = find_foreign(arguments.foreign, arguments.classes)
        strangers = {
            name: [photo.path for photo in kinds.photos if photo.label == number][::step]
            for number, name in enumerate(kinds.kinds)
        }
        elsewhere: dict[str, list[Path]] = {}
        folder = arguments.classes
    else:
        sets = PhotoSets(arguments.shared.resolve())
        strangers = {kind: sets.foreign(kind)[::step] for kind in KINDS}
        elsewhere = {
            "outdoor": sets.labelled("outdoor", "test")[0][::step],
            "sharp scenes": sets.sharp_scenes()[::step],
        }
        folder = sets.root / "scenes" / "test"
    return Sets(
        lambda labels: list(find_dataset(folder, labels).photos[::step]),
        elsewhere,
        {kind: paths for kind, paths in strangers.items() if paths},
    )


def small_copies(paths: Sequence[Path], side: int, folder: Path) -> list[Path]:
    """Copies whose shorter side has `side` px, as JPEG; of a photo that is no larger the photo itself."""
    folder.mkdir()
    copies = []
    for number, path in enumerate(paths):
        small = shrunk(path, side)
        if isinstance(small, bytes):
            copy = folder / f"{number:05d}.jpg"
            copy.write_bytes(small)
            small = copy
        copies.append(small)
    return copies
