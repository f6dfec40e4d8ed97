"""Files of the inbox whose creation was announced and whose closing was not: somebody still writes to them.

It is what can be known of other people's files, about which the kernel answers nobody else (daemon/open_writers.py).
An announced creation need not come from a writer: a hard link is announced like that, and nobody closes it. Many
servers rename by a link and an unlink, and programs link a finished file that had no name (O_TMPFILE). So a file is
looked at, once it has settled, for traces of that:
- it has two names;
- the unnamed file of its inode was closed: its name in the announcement is `#` and the inode's number;
- it was last written before its creation was announced, and its time of change is another: a link changes that alone.

Where none of this is found, though it was last written before, its writer was quick, or its link was. That is left
open for ten minutes, and then taken for a link: a file that is never closed can be waited for, but not every file of a
program that links.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path

MAX_KNOWN = 16_384
"""Creations remembered; of the oldest beyond, nothing is known."""
COARSE_S = 0.02
"""By how much times of files lag behind the clock."""
LINK_S = 600.0
"""How long what may be a link counts as open."""


class Creations:
    """Remembers creations without an end. Noted by the watcher's thread, asked by another.

    Args:
        now_s: the clock of the files.
    """

    def __init__(self, now_s: Callable[[], float] = time.time) -> None:
        self._now_s = now_s
        self._made: dict[Path, float] = {}
        self._unnamed: dict[int, None] = {}

    def made(self, path: Path) -> None:
        """A name was created."""
        self._made[path] = self._now_s()
        if len(self._made) > MAX_KNOWN:
            self._made.pop(next(iter(self._made)), None)

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

    def is_open(self, path: Path, *, on_share: bool) -> bool:
        """Tell whether a file was created and not closed, as far as is known.

        Args:
            path: of the file.
            on_share: its times are by another clock.
        """
        made_s = self._made.get(path)
        if made_s is None:
            return False
        try:
            status = os.lstat(path)
        except OSError:
            return False
        if not self._may_be_open(status, made_s, on_share=on_share):
            self._made.pop(path, None)
            return False
        return True

    def _may_be_open(self, status: os.stat_result, made_s: float, *, on_share: bool) -> bool:
        if status.st_nlink > 1 or status.st_ino in self._unnamed:
            return False
        if not on_share:
            written_since = status.st_mtime > made_s + COARSE_S
            written_last = status.st_mtime_ns == status.st_ctime_ns or not status.st_size
            if written_since and written_last:
                return True
            if not written_since and not written_last:
                return False
        return self._now_s() - made_s < LINK_S
