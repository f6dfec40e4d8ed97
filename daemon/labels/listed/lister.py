"""Lists the output again: one stat a folder, and only folders whose time of change differs are listed.

Names decide what is looked at, by the list of the intake: hidden, unfinished and junk names are passed over, and so is
everything below an inbox or below a folder with a marker of its own.
"""

import os
import stat
from collections.abc import Collection, Iterable
from dataclasses import replace
from pathlib import Path

from daemon.files.confined import is_folder
from daemon.intake.names.junk import why_not_entered
from daemon.labels.listed.folder_reader import Entry, read_folder
from daemon.labels.listed.listing import NOTHING, Listing
from daemon.labels.listed.tree import BASE_LINE_S, EMPTY, Folder, Tree, joined

FORMER_MAX = 10_000
"""How many folders that are gone are remembered."""


def list_output(output: Path, before: Tree, now_s: float, left_out: Collection[Path] = ()) -> Tree:
    """Return the output as it is now.

    Args:
        output: root of the class folders, absolute, without links.
        before: what the last look saw; `EMPTY` for the first one, which makes the base line.
        now_s: wall time in seconds since 1970.
        left_out: folders that are not looked into, such as inboxes.

    Raises:
        OSError: the output itself cannot be listed.
    """
    walk = _Walk(output, before, now_s, left_out)
    walk.look("")
    waiting = list(walk.inside(""))
    while waiting:
        path = waiting.pop()
        walk.look_safely(path)
        waiting += walk.inside(path)
    return walk.tree()


def is_entered(name: str) -> bool:
    """Tell whether a folder of this name is looked into."""
    return not why_not_entered(name)


class _Walk:
    """One walk through the output.

    Attributes:
        folders: what was found so far.
    """

    def __init__(self, output: Path, before: Tree, now_s: float, left_out: Collection[Path]) -> None:
        self._output, self._before, self._now_s = str(output), before, now_s
        self._left_out = frozenset(map(str, left_out))
        self._since_s = BASE_LINE_S if before is EMPTY else now_s
        self.folders: dict[str, Folder] = {}
        self._same = 0
        self._unread: set[str] = set()
        self._seen: set[tuple[int, int]] = set()
        self._is_remounted = False

    def inside(self, path: str) -> Iterable[str]:
        """Return the folders in one that was looked at."""
        found = self.folders.get(path)
        return () if found is None else [joined(path, name) for name in found.listing.folders]

    def look_safely(self, path: str) -> None:
        """Look at one folder; what is known of one that cannot be read stays as it is, and one that is gone is left.

        A share that hiccups must not look as if all photos in it were gone.
        """
        try:
            self.look(path)
        except OSError as error:
            if isinstance(error, FileNotFoundError | NotADirectoryError) and not Path(self._output, path).is_symlink():
                return
            self._unread.add(path)
            if (known := self._before.folders.get(path)) is not None:
                self.folders[path] = known

    def look(self, path: str) -> None:
        """Look at one folder."""
        place = f"{self._output}/{path}" if path else self._output
        status = os.stat(place)  # noqa: PTH116  # half the time of a Path, for each of 100,000 folders
        key = status.st_dev, status.st_ino
        if key in self._seen or not stat.S_ISDIR(status.st_mode):
            return  # a link to a folder that is looked at under another name
        self._seen.add(key)
        known = self._before.folders.get(path)
        is_same = known is not None and known.inode == key[1] and known.mtime_ns == status.st_mtime_ns
        if known is not None and known.device != key[0]:
            self._is_remounted = True
        elif known is not None and is_same and known.is_settled:
            self.folders[path] = known
            self._same += 1
            return
        listing = self._listed(place, path, NOTHING if known is None else known.listing)
        self.folders[path] = Folder(status.st_dev, status.st_ino, status.st_mtime_ns, listing, is_same)

    def _listed(self, place: str, path: str, known: Listing) -> Listing:
        def is_looked_into(entry: Entry) -> bool:
            return self._is_looked_into(entry, joined(place, entry.name), known)

        return read_folder(place, known, self._since_s, is_looked_into, is_root=not path)

    def _is_looked_into(self, entry: Entry, place: str, known: Listing) -> bool:
        try:
            if not entry.is_dir():
                return entry.is_symlink() and entry.name in known.folders  # to a disk that is away
            if not is_entered(entry.name) or place in self._left_out:
                return False
            return not entry.is_symlink() or is_folder(Path(place), Path(self._output))
        except PermissionError:
            return False  # a link of a user who is not trusted
        except OSError:
            return True  # what is known of it stays

    def tree(self) -> Tree:
        """Return all that was found; with the same folders as before if nothing is new."""
        if self._same == len(self.folders) == len(self._before.folders):
            return replace(self._before, unread=frozenset(), is_remounted=False, at_s=self._now_s)
        there = {folder.key for folder in self.folders.values()}
        former = {**self._before.former, **{folder.key: path for path, folder in self._before.folders.items()}}
        newest = [item for item in former.items() if item[0] not in there][-FORMER_MAX:]
        return Tree(self.folders, dict(newest), frozenset(self._unread), self._is_remounted, self._now_s)
