"""Files of the inbox that the kernel reported as created but not as closed: a program may still write to them.

For files of other users, this is all that can be known: the kernel does not tell who holds them open
(daemon/files/open_writers.py). A creation does not prove a writer, because a hard link causes the same event and nobody
closes a link. Many servers rename by link and unlink, and some programs link a finished file that had no name
(O_TMPFILE). Therefore a settled file is checked for signs of a link:
- the file has two names;
- the unnamed file with the same inode was closed (the event names it `#` and the inode number);
- the last write is older than the creation event, and ctime differs from mtime: a link changes only ctime.

A file that is renamed while it is written is followed, because both events of a rename carry the same cookie. A rename
changes ctime too, so the third sign is ignored for it.

If no sign is found but the last write is older than the creation, either the writer or the link was quick. The file
then counts as open for ten minutes, and as a link afterwards: waiting for one file that is never closed is harmless,
but waiting for every file of a program that links is not.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

MAX_KNOWN = 16_384
"""Creations remembered; beyond that the oldest are forgotten."""
MAX_MOVING = 64
"""Renames remembered whose second event has not come. For a file that leaves the inbox it never comes."""
COARSE_S = 0.02
"""How far file times may lag behind the clock."""
LINK_S = 600.0
"""How long a file that may be a link counts as open."""


class _Creation(NamedTuple):
    at_s: float
    renamed: bool = False


class Creations:
    """Remembers created files that were not closed. The watcher's thread writes, another thread reads.

    Args:
        now_s: the clock of the files.
    """

    def __init__(self, now_s: Callable[[], float] = time.time) -> None:
        self._now_s = now_s
        self._created: dict[Path, _Creation] = {}
        self._unnamed: dict[int, None] = {}
        self._moving: dict[int, _Creation | None] = {}

    def __bool__(self) -> bool:
        return bool(self._created)

    def created(self, path: Path) -> None:
        """Record that a name was created."""
        self._remember(path, _Creation(self._now_s()))

    def moved_from(self, path: Path | None, cookie: int) -> None:
        """Record that a file leaves its name: it is renamed (the second event follows at once) or leaves the inbox.

        Args:
            path: of the file; None if no creation is remembered, so that its path makes no difference.
            cookie: of the rename.
        """
        made = self._created.pop(path, None) if path is not None else None
        self._moving[cookie] = made and made._replace(renamed=True)
        if len(self._moving) > MAX_MOVING:
            del self._moving[next(iter(self._moving))]

    def moved_to(self, path: Path, cookie: int) -> bool:
        """Record that a file got this name. Returns whether it had another name inside the inbox."""
        is_inside = cookie in self._moving
        made = self._moving.pop(cookie, None)
        if made is None:
            self.closed(path)
        else:
            self._remember(path, made)
        return is_inside

    def closed(self, path: Path) -> None:
        """Record that a file was closed after writing, or replaced by a rename."""
        self._created.pop(path, None)
        if path.name.startswith("#") and path.name[1:].isdecimal():
            self._unnamed[int(path.name[1:])] = None
            if len(self._unnamed) > MAX_KNOWN:
                self._unnamed.pop(next(iter(self._unnamed)), None)

    def forget(self) -> None:
        """Forget everything: the kernel dropped events, and one of them may have reported a close."""
        self._created.clear()
        self._unnamed.clear()
        self._moving.clear()

    def is_open(self, path: Path, *, on_share: bool) -> bool:
        """Tell whether a file was created and not closed, as far as the events show.

        Args:
            path: of the file.
            on_share: whether its times come from another machine's clock.
        """
        made = self._created.get(path)
        if made is None:
            return False
        try:
            status = os.lstat(path)
        except OSError:
            return False
        if not self._may_be_open(status, made, on_share=on_share):
            self._created.pop(path, None)
            return False
        return True

    def _remember(self, path: Path, made: _Creation) -> None:
        self._created[path] = made
        if len(self._created) > MAX_KNOWN:
            self._created.pop(next(iter(self._created)), None)

    def _may_be_open(self, status: os.stat_result, made: _Creation, *, on_share: bool) -> bool:
        if status.st_nlink > 1 or status.st_ino in self._unnamed:
            return False
        # On a share the file times come from the server's clock, so they cannot be compared with the event.
        if not on_share:
            written_since = status.st_mtime > made.at_s + COARSE_S
            written_last = made.renamed or status.st_mtime_ns == status.st_ctime_ns or not status.st_size
            if written_since and written_last:
                return True
            if not written_since and not written_last:
                return False
        return self._now_s() - made.at_s < LINK_S
