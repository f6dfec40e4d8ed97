"""The photos of a dataset, each with its class, and whether it is held out from learning."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from contract.formats import has_photo_name
from contract.labels import SPLIT_NAMES

_LEARNT = frozenset(SPLIT_NAMES["train"])
_HELD_OUT = frozenset((*SPLIT_NAMES["val"], *SPLIT_NAMES["test"]))


class Own(NamedTuple):
    """A photo of the dataset.

    Attributes:
        label: its class; empty for one in no class folder.
        held_out: whether it is one to validate or test with.
    """

    path: Path
    label: str
    held_out: bool


def own_photos(root: Path) -> Iterator[Own]:
    """Yield the photos of class folders and of train, val and test, in a stable order."""
    for current, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        parts = list(Path(current).relative_to(root).parts)
        held_out = False
        while parts and parts[0].lower() in _LEARNT | _HELD_OUT:  # doubled, too: seg_train/seg_train/CLASS
            held_out |= parts.pop(0).lower() in _HELD_OUT
        label = parts[0] if parts else ""
        for name in sorted(names):
            path = Path(current, name)
            if not name.startswith(".") and has_photo_name(path):
                yield Own(path, label, held_out)
