"""Which names of the inbox are considered: all but unfinished files, junk, ignored names and our own folders."""

import fnmatch
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from common.text import printable
from daemon.files.marker import MARKER
from daemon.intake.names.junk import why_closed, why_left_alone, why_not_entered
from daemon.intake.names.uploads import WHY, rest_s
from daemon.photo import DUPLICATES_FOLDER, FAILED_FOLDER, REVIEW_FOLDER

_OURS = (FAILED_FOLDER, REVIEW_FOLDER, DUPLICATES_FOLDER)


def _shape(patterns: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(fnmatch.translate(pattern.lower()) for pattern in patterns) or r"(?!)")


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
        name = path.name
        return not (why_left_alone(name) or self._names.match(name.lower()) or self._is_ignored_path(path))

    def _is_ignored_path(self, path: Path) -> bool:
        return self._has_paths and bool(self._paths.match(str(path.relative_to(self.inbox)).lower()))

    def enters(self, folder: Path) -> bool:
        """Tell whether a folder inside the inbox is scanned."""
        return self.recursive and self.would_enter(folder)

    def would_enter(self, folder: Path) -> bool:
        """Tell whether a folder inside the inbox would be scanned with `--recursive`.

        A folder with a marker is another inbox or output. `_failed` and the like belong to an output, so the photos in
        them were handled already.
        """
        if folder.name in _OURS or why_not_entered(folder.name) or not self.takes(folder):
            return False
        return folder not in self._left_out and not os.path.lexists(folder / MARKER) and not why_closed(folder)

    def is_closed(self, folder: Path) -> bool:
        """Tell whether a folder or one above it, inside the inbox, says that nothing in it is to be taken."""
        return folder != self.inbox and (bool(why_closed(folder)) or self.is_closed(folder.parent))


def why_left(file: Path, inbox: Path) -> str:
    """Return why the names of a file and its folders keep it in the inbox, as the end of a sentence; empty if not."""
    if why := why_left_alone(file.name):
        return f": {why}"
    if wait_s := rest_s(file.name):
        days, minutes = wait_s / 86_400, wait_s / 60
        return f" until it has not changed for {f'{days:.0f} days' if days > 1 else f'{minutes:.0f} minutes'}: {WHY}"
    for folder in file.relative_to(inbox).parents:
        if folder != Path() and (why := why_not_entered(folder.name) or why_closed(inbox / folder)):
            return f", because the folder {printable(folder)} is not searched: {why}"
    return ""
