"""Folders of one day below a class: photos of one walk or party resemble each other more than new ones."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from training.dataset.layout import Photo

_DAY = re.compile(r"(?:^|/)(?:19|20)\d\d[-_./]?(?:0[1-9]|1[0-2])[-_./]?(?:0[1-9]|[12]\d|3[01])(?!\d)[^/]*")
"""`2024-05-01`, `20240501 Rome`, `2024/05/01`. A month or a year is no day: its photos have little in common."""


def day_folders(photos: Sequence[Photo], labels: Sequence[str], root: Path) -> list[str]:
    """The folder of one day that each photo lies in; empty if it lies in none."""
    known: dict[tuple[str, int], str] = {}
    for photo in photos:
        key = photo.folder, photo.label
        if key not in known:
            known[key] = _day_folder(photo.folder, labels[photo.label], root)
    return [known[photo.folder, photo.label] for photo in photos]


def _day_folder(folder: str, label: str, root: Path) -> str:
    parts = Path(os.path.relpath(folder, root)).parts
    if label not in parts:
        return ""
    below = "/".join(parts[parts.index(label) + 1 :])
    day = _DAY.search(below)
    return f"{folder[: len(folder) - len(below)]}{below[: day.end()]}" if day else ""
