"""Syncs that must succeed before outcomes are committed: data of files and names in folders, each once per flush."""

import errno
import os
from contextlib import suppress
from pathlib import Path

from common.publish import sync_directory
from daemon.process.heartbeat import Heartbeat
from daemon.process.parallel import SHARE_TOGETHER, for_each

TOGETHER = 4
"""How many syncs run at once in a large flush. Each waits until the disk has emptied its cache, and syncs that arrive
meanwhile share the next time: 55 syncs took 137 ms one after another, and 4 ms in parallel."""
FEW = 8
"""Up to this many syncs run one after another, because starting threads costs a part of a millisecond."""


class Syncs:
    """Pending syncs of files and folders; added by one thread."""

    def __init__(self) -> None:
        self._folders: dict[str, None] = {}  # in the order in which they came
        self._files: dict[str, None] = {}

    def add_file(self, path: str | Path) -> None:
        """Add a file whose data must be synced."""
        self._files[str(path)] = None

    def add_folder(self, path: str | Path) -> None:
        """Add a folder whose names must be synced."""
        self._folders[str(path)] = None

    def flush(self, *, on_share: bool = False, heartbeat: Heartbeat | None = None) -> None:
        """Sync all pending files and folders.

        Args:
            on_share: whether each sync is a round trip; then more run at once, even if there are few.
            heartbeat: beats with each sync.

        Raises:
            OSError, MemoryError: some syncs failed; they stay pending.
        """
        pending = [(path, True) for path in self._files] + [(path, False) for path in self._folders]
        threads = SHARE_TOGETHER if on_share else TOGETHER if len(pending) > FEW else 1
        for_each(pending, self._flush_one, threads, "sync", heartbeat)

    def _flush_one(self, entry: tuple[str, bool]) -> None:
        path, is_file = entry
        with suppress(FileNotFoundError, NotADirectoryError):  # its owner moved it on: nothing to sync
            (sync_file if is_file else sync_folder)(path)
        del (self._files if is_file else self._folders)[path]


def sync_file(path: str | Path) -> None:
    """Sync a file's data; the file is opened only for reading. A link in its place means that its owner moved it on.

    Raises:
        OSError: the sync failed, or the file does not exist.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except PermissionError:
        os.sync()  # its owner has forbidden reading since: sync everything
        return
    except OSError as error:
        if error.errno != errno.ELOOP:  # ELOOP: git-annex moved the file and left a link, so there is nothing to sync
            raise
        return
    try:
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(path: str | Path) -> None:
    """Sync a folder's names, even if its owner has forbidden listing since."""
    try:
        sync_directory(path)
    except PermissionError:
        os.sync()
