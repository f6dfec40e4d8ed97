"""Companions that lie beside photos: each folder is listed once, and only what belongs to a photo is handed on."""

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from daemon.files.companion_forms import answers_to, photo_names
from daemon.files.companion_names import is_companion

FOLDERS = 16
"""Listings that are kept: photos of one folder follow each other in results."""


class FolderCompanions:
    """Finds the companions of photos; used by one thread.

    Args:
        takes: tells by its path whether a file of the inbox may be touched.
    """

    def __init__(self, takes: Callable[[Path], bool]) -> None:
        self._takes = takes
        self._listed = lru_cache(FOLDERS)(self._list)

    def of(self, photos: Iterable[Path]) -> list[Path]:
        """Return the files that may belong to these photos by their names; the filer decides between photos."""
        found: dict[Path, None] = {}
        for photo in photos:
            asking = self._listed(photo.parent)
            for name in answers_to(photo.name) if asking else ():
                found |= dict.fromkeys(photo.with_name(one) for one in asking.get(name, ()))
        return list(found)

    def _list(self, folder: Path) -> Mapping[str, tuple[str, ...]]:
        """Return the companions in a folder by the names that they ask for."""
        asking: dict[str, tuple[str, ...]] = {}
        with suppress(OSError), os.scandir(folder) as entries:  # it is gone, or cannot be read: its photos are told
            for entry in entries:
                path = folder / entry.name
                if is_companion(path) and entry.is_file(follow_symlinks=False) and self._takes(path):
                    for name in photo_names(entry.name):
                        asking[name] = (*asking.get(name, ()), entry.name)
        return asking
