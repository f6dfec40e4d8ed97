"""Files of the inbox whose creation was announced and whose closing was not: somebody still writes to them.

It is what can be known of other people's files, about which the kernel answers nobody else
(daemon/files/open_writers.py). An announced creation need not come from a writer: a hard link is announced like that,
and nobody closes it. Many servers rename by a link and an unlink, and programs link a finished file that had no name
(O_TMPFILE). So a file is looked at, once it has settled, for traces of that:
- it has two names;
- the unnamed file of its inode was closed: its name in the announcement is `#` and the inode's number;
- it was last written before its creation was announced, and its time of change is another: a link changes that alone.

A file that gets another name while it is written is followed: its two events have one number. The new name is a change
too, so the third trace tells nothing of it.

Where none of this is found, though it was last written before, its writer was quick, or its link was. That is left
open for ten minutes, and then taken for a link: a file that is never closed can be waited for, but not every file of a
program that links.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

MAX_KNOWN = 16_384
"""Creations remembered; of the oldest beyond, nothing is known."""
MAX_MOVING = 64
"""Files that are on their way from one name to another; those that leave the inbox never arrive."""
COARSE_S = 0.02
"""By how much times of files lag behind the clock."""
LINK_S = 600.0
"""How long what may be a link counts as open."""


class _Made(NamedTuple):
    at_s: float
    renamed: bool = False


class Creations:
    """Remembers creations without an end. Noted by the watcher's thread, asked by another.

    Args:
        now_s: the clock of the files.
    """

    def __init__(self, now_s: Callable[[], float] = time.time) -> None:
        self._now_s = now_s
        self._made: dict[Path, _Made] = {}
        self._unnamed: dict[int, None] = {}
        self._moving: dict[int, _Made] = {}

    def __bool__(self) -> bool:
        return bool(self._made)

    def made(self, path: Path) -> None:
        """A name was created."""
        self._remember(path, _Made(self._now_s()))

    def moved_from(self, path: Path, cookie: int) -> None:
        """A file goes to another name, or out of the inbox, as those do that are filed; its arrival follows at once."""
        made = self._made.pop(path, None)
        if made is not None:
            self._moving[cookie] = made._replace(renamed=True)
            if len(self._moving) > MAX_MOVING:
                del self._moving[next(iter(self._moving))]

    def moved_to(self, path: Path, cookie: int) -> None:
        """A file was moved to a name, here or from elsewhere."""
        made = self._moving.pop(cookie, None)
        if made is None:
            self.ended(path)
        else:
            self._remember(path, made)

    def ended(self, path: Path) -> None:
        """A file was closed after writing, or another one was moved to its name."""
        self._made.pop(path, None)
        if path.name.startswith("#") and path.name[1:].isdecimal():
            self._unnamed[int(path.name[1:])] = None
            if len(self._unnamed) > MAX_KNOWN:
                self._unnamed.pop(next(iter(self._unnamed)), None)

    def forget(self) -> None:
        """Announcements were lost: an end may be among them."""
        self._made.clear()
        self._unnamed.clear()
        self._moving.clear()

    def is_open(self, path: Path, *, on_share: bool) -> bool:
        """Tell whether a file was created and not closed, as far as is known.

        Args:
            path: of the file.
            on_share: its times are by another clock.
        """
        made = self._made.get(path)
        if made is None:
            return False
        try:
            status = os.lstat(path)
        except OSError:
            return False
        if not self._may_be_open(status, made, on_share=on_share):
            self._made.pop(path, None)
            return False
        return True

    def _remember(self, path: Path, made: _Made) -> None:
        self._made[path] = made
        if len(self._made) > MAX_KNOWN:
            self._made.pop(next(iter(self._made)), None)

    def _may_be_open(self, status: os.stat_result, made: _Made, *, on_share: bool) -> bool:
        if status.st_nlink > 1 or status.st_ino in self._unnamed:
            return False
        if not on_share:
            written_since = status.st_mtime > made.at_s + COARSE_S
            written_last = made.renamed or status.st_mtime_ns == status.st_ctime_ns or not status.st_size
            if written_since and written_last:
                return True
            if not written_since and not written_last:
                return False
        return self._now_s() - made.at_s < LINK_S
