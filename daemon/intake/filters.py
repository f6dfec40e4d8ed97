"""Which names of the inbox are looked at: not what is unfinished, junk, ignored by the user, or ours."""

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
"""Names of what is not finished, hidden, or somebody's junk."""


class PathFilter:
    """Tells what in an inbox is looked at. Names count whatever their case.

    Args:
        inbox: the folder.
        recursive: whether folders in it are looked into.
        ignore: shell patterns: without a slash, of names of files and folders; with one, of paths below the inbox.
        left_out: folders that are not looked into, as the output.
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
        """Tell whether a file is looked at, by its own name and its path; its folders are not asked about again."""
        name = path.name.lower()
        if _LEFT_ALONE.match(name) or self._names.match(name):
            return False
        return not self._has_paths or not self._paths.match(str(path.relative_to(self.inbox)).lower())

    def enters(self, folder: Path) -> bool:
        """Tell whether a folder inside the inbox is looked into."""
        return self.recursive and self.would_enter(folder)

    def would_enter(self, folder: Path) -> bool:
        """Tell whether a folder inside the inbox is looked into where any are.

        A folder with a marker is the root of another inbox or output, and `_failed` and its like are what an output
        holds: what lies there has been dealt with.
        """
        if folder.name in _OURS or not self.takes(folder):
            return False
        return folder not in self._left_out and not os.path.lexists(folder / MARKER)
