"""What must reach the disk before outcomes may be written: data of files and names in folders, each once a round."""

import errno
import os
from contextlib import suppress
from pathlib import Path

from contract.publish import sync_directory
from daemon.process.heartbeat import Heartbeat
from daemon.process.parallel import FAR_TOGETHER, each

TOGETHER = 4
"""How many syncs are under way at once in a round of many. Each waits for the disk to empty its cache, and those that
come while it does share the next time: 55 took a disk 137 ms one after another, and 4 ms so."""
FEW = 8
"""A round of so few goes one after another, for starting threads costs a part of a millisecond."""


class Syncs:
    """Files and folders that are to be made durable. Owing is for one thread."""

    def __init__(self) -> None:
        self._folders: dict[str, None] = {}  # in the order in which they came
        self._files: dict[str, None] = {}

    def add_file(self, path: str | Path) -> None:
        """Take note of a file whose data must be made durable."""
        self._files[str(path)] = None

    def add_folder(self, path: str | Path) -> None:
        """Take note of a folder whose names must be."""
        self._folders[str(path)] = None

    def flush(self, *, far: bool = False, heartbeat: Heartbeat | None = None) -> None:
        """Make all durable.

        Args:
            far: each sync is a round trip to a share: more of them go at once, also where there are few.
            heartbeat: where it is noted with each sync that it gets on.

        Raises:
            OSError, MemoryError: what could not be stays owed.
        """
        pending = [(path, True) for path in self._files] + [(path, False) for path in self._folders]
        threads = FAR_TOGETHER if far else TOGETHER if len(pending) > FEW else 1
        each(pending, self._flush_one, threads, "sync", heartbeat)

    def _flush_one(self, entry: tuple[str, bool]) -> None:
        path, is_file = entry
        with suppress(FileNotFoundError, NotADirectoryError):  # its owner took it further: none of ours is left
            (sync_file if is_file else sync_folder)(path)
        del (self._files if is_file else self._folders)[path]


def sync_file(path: str | Path) -> None:
    """Make a file's own data durable; the file is only opened for reading. A link in its place means it was taken.

    Raises:
        OSError: it could not be, or it is not there.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except PermissionError:
        os.sync()  # its owner lets nobody read it since it was read: then all that the disks are owed
        return
    except OSError as error:
        if error.errno != errno.ELOOP:  # as git-annex leaves one: its owner took it further, and none of ours is left
            raise
        return
    try:
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(path: str | Path) -> None:
    """Make a folder's names durable, also if its owner lets nobody list it since."""
    try:
        sync_directory(path)
    except PermissionError:
        os.sync()
