"""Which names of the inbox are considered: all but unfinished files, junk, ignored names and our own folders."""

import fnmatch
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from daemon.files.marker import MARKER
from daemon.photo import DUPLICATES_FOLDER, FAILED_FOLDER, REVIEW_FOLDER

_OURS = (FAILED_FOLDER, REVIEW_FOLDER, DUPLICATES_FOLDER)
UNFINISHED = (".*", "~*", "*~", "*.part", "*.crdownload", "*.filepart", "*.partial", "*.tmp", "*.download")
JUNK = (
    *("@eadir", "#recycle", "#snapshot", "lost+found", "$recycle.bin", "system volume information", "__macosx"),
    *("thumbs.db", "ehthumbs.db", "desktop.ini", ".ds_store", "._*"),
)
"""What NAS boxes, Windows and macOS leave in folders of photos: thumbnails that look like photos, and settings."""


def _shape(patterns: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(fnmatch.translate(pattern.lower()) for pattern in patterns) or r"(?!)")


_LEFT_ALONE = _shape((*UNFINISHED, *JUNK))
"""Unfinished, hidden and junk names."""


class PathFilter:
    """Tells which files and folders of an inbox are considered. Upper and lower case do not matter.

    Args:
        inbox: the folder.
        recursive: whether folders inside the inbox are scanned.
        ignore: shell patterns. Without a slash they match names of files and folders; with one, paths below the inbox.
        left_out: folders that are never scanned, such as the output.
    """

    def __init__(
        self, inbox: Path, *, recursive: bool = False, ignore: Sequence[str] = (), left_out: Iterable[Path] = ()
    ) -> None:
        self.inbox = inbox
        self.recursive = recursive
        self._names = _shape(pattern for pattern in ignore if "/" not in pattern)
        self._has_paths = any("/" in pattern for pattern in ignore)
        self._paths = _shape(pattern.strip("/") for pattern in ignore if "/" in pattern)
        self._left_out = frozenset(left_out)

    def takes(self, path: Path) -> bool:
        """Tell whether a file is considered, by its name and path. Its folders are not checked again."""
        name = path.name.lower()
        if _LEFT_ALONE.match(name) or self._names.match(name):
            return False
        return not self._has_paths or not self._paths.match(str(path.relative_to(self.inbox)).lower())

    def enters(self, folder: Path) -> bool:
        """Tell whether a folder inside the inbox is scanned."""
        return self.recursive and self.would_enter(folder)

    def would_enter(self, folder: Path) -> bool:
        """Tell whether a folder inside the inbox would be scanned with `--recursive`.

        A folder with a marker is another inbox or output. `_failed` and the like belong to an output, so the photos in
        them were handled already.
        """
        if folder.name in _OURS or not self.takes(folder):
            return False
        return folder not in self._left_out and not os.path.lexists(folder / MARKER)
