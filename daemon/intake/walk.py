"""Lists the files that lie in the inbox now. The list decides; events are only hints."""

import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

from common.text import printable
from daemon.files.identity import close, look_at, look_closely_at, look_fresh
from daemon.files.marker import MARKER
from daemon.intake.filters import PathFilter
from daemon.intake.staying import Staying

__all__ = ["MARKER", "LeftOut", "close", "look_at", "look_closely_at", "look_fresh", "scan"]

Unread = Callable[[Path, OSError], None]
Enter = Callable[[Path], None]


class LeftOut:
    """Folders that one scan cannot list, and the sentence about them; `scan` calls `unread`."""

    def __init__(self) -> None:
        self._unread: list[str] = []

    def unread(self, folder: Path, error: OSError) -> None:
        """Record a folder that cannot be listed; the sentence names three of them, the same in each scan."""
        if not isinstance(error, FileNotFoundError):
            self._unread = sorted([*self._unread, f"{printable(folder)} ({error.strerror})"])[:3]

    @property
    def unreadable(self) -> str:
        """Sentence about folders that cannot be listed; empty if there are none."""
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
) -> Generator[Path, None, None]:
    """Yield files that may be photos: regular files in the inbox that are not links and pass the filter.

    Folders are read step by step, so a million files need no more memory than one. Only the names of folders beside the
    way down are held. Links are not followed; a folder that is its own ancestor, by a mount, is not entered.

    Args:
        path_filter: of the inbox; also decides which folders are entered.
        start: the inbox, or a folder in it.
        enter: called for each folder just before it is listed.
        passed: called for each inner folder that is left alone without `--recursive`.
        unread: called for each inner folder that cannot be listed.
        staying: files to skip; files that the filter leaves out are added.

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
                continue  # a bind mount of a folder above: the scan would never end
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
                continue  # before the path is built, which costs ten times as much
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
