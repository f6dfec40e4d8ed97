"""The truth about the inbox: what lies in it now. Events only hint at it."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from contract.text import printable
from daemon.files.identity import close, look_at, look_closely_at, look_fresh
from daemon.files.marker import MARKER
from daemon.intake.filters import PathFilter
from daemon.intake.staying import Staying

__all__ = ["FOLDERS_STAY", "MARKER", "LeftOut", "close", "look_at", "look_closely_at", "look_fresh", "scan"]

FOLDERS_STAY = "the inbox holds folders, and photos in them are left alone; --recursive includes them"

Unread = Callable[[Path, OSError], None]
Enter = Callable[[Path], None]


class LeftOut:
    """Folders that one scan did not look into, and the sentences about them; `passed` and `unread` are for `scan`.

    Attributes:
        stay: what to say of folders that are not looked into because none is, or nothing.
    """

    def __init__(self, path_filter: PathFilter) -> None:
        self.stay = ""
        self._path_filter = path_filter
        self._unread: list[str] = []

    def passed(self, folder: Path) -> None:
        """Note a folder that would hold photos if folders were looked into."""
        if not self.stay and self._path_filter.would_enter(folder):
            self.stay = FOLDERS_STAY

    def unread(self, folder: Path, error: OSError) -> None:
        """Note a folder that cannot be listed; three of them are named."""
        if not isinstance(error, FileNotFoundError) and len(self._unread) < 3:
            self._unread.append(f"{printable(folder)} ({error.strerror})")

    @property
    def unreadable(self) -> str:
        """What to say of folders that cannot be listed, or nothing."""
        return f"left out because they cannot be read: {', '.join(self._unread)}" if self._unread else ""


def _nothing(*_: object) -> None:
    pass


def scan(
    path_filter: PathFilter,
    start: Path | None = None,
    *,
    enter: Enter = _nothing,
    passed: Enter = _nothing,
    unread: Unread = _nothing,
    staying: Staying | None = None,
) -> Iterator[Path]:
    """Yield what may be photos: regular files in the inbox, without links and what the filter leaves out.

    Read as it goes, so that a million files need no more memory than one. Of folders, only the names of those beside
    the way down are held. Links are not followed; a folder that is its own ancestor, as by a mount, is not entered.

    Args:
        path_filter: of the inbox; it also says whether folders are entered.
        start: the inbox, or a folder in it.
        enter: called for each folder just before it is listed.
        passed: called for each folder inside that is not looked into because none is.
        unread: called for each folder inside that cannot be listed.
        staying: names that are passed over; those that the filter leaves out are added.

    Raises:
        OSError: the folder to start with cannot be listed (gone, or not permitted).
    """
    start = start or path_filter.inbox
    way: list[tuple[tuple[int, int], list[Path]]] = [((-1, -1), [start])]
    while way:
        if not way[-1][1]:
            way.pop()
            continue
        folder = way[-1][1].pop()
        inner: list[Path] = []
        try:
            status = folder.lstat()
            itself = (status.st_dev, status.st_ino)
            if any(itself == above for above, _ in way):
                continue
            enter(folder)
            yield from _files(path_filter, folder, inner, passed, staying)
        except OSError as error:
            if folder == start:
                raise
            unread(folder, error)
            continue
        way.append((itself, inner))


def _files(
    path_filter: PathFilter, folder: Path, inner: list[Path], passed: Enter, staying: Staying | None
) -> Iterator[Path]:
    where = str(folder)
    with os.scandir(folder) as entries:
        for entry in entries:
            if staying is not None and staying.has(where, entry.name, entry.inode()):
                continue  # before its path is made, which costs ten times as much
            path = folder / entry.name
            if entry.is_file(follow_symlinks=False):
                if path_filter.takes(path):
                    yield path
                elif staying is not None:
                    staying.add(where, entry.name, entry.inode())
            elif entry.is_dir(follow_symlinks=False):
                if not path_filter.recursive:
                    passed(path)
                elif path_filter.enters(path):
                    inner.append(path)
