"""Locks on files and folders: one process at a time holds one, and the kernel releases it when that process ends."""

import errno
import fcntl
import os
import time
from pathlib import Path
from typing import IO

from common.text import printable
from daemon.files.confined import open_to_lock
from daemon.files.marker import RootError


def take_lock(descriptor: int, patience_s: float = 0.0) -> bool:
    """Lock an open file; False if another process holds it.

    Args:
        descriptor: of the file, open for reading; afterwards it may be open for writing too.
        patience_s: how long to wait for the lock.

    Raises:
        OSError: the file system cannot lock it.
    """
    end_s = time.monotonic() + patience_s
    while not _is_ours(descriptor):
        if time.monotonic() >= end_s:
            return False
        time.sleep(0.02)
    return True


def _is_ours(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno != errno.EBADF:
            raise
        _open_for_writing(descriptor)  # NFS refuses to lock a file that is open for reading only
        return _is_ours(descriptor)
    return True


def _open_for_writing(descriptor: int) -> None:
    if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_RDWR:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    writable = os.open(f"/proc/self/fd/{descriptor}", os.O_RDWR | os.O_CLOEXEC)
    os.dup2(writable, descriptor, inheritable=False)
    os.close(writable)


def locked(path: Path, busy: str) -> IO[bytes]:
    """Lock a file until it is closed.

    Args:
        path: of the file.
        busy: the error's text if another process holds the lock.

    Raises:
        RootError: another process holds the lock, or the file cannot be opened or locked.
    """
    try:
        file = open_to_lock(path)
    except OSError as error:
        raise RootError(f"{printable(path)} cannot be locked ({error.strerror}).") from error
    try:
        if take_lock(file.fileno()):
            return file
    except OSError as error:
        file.close()
        raise RootError(f"{printable(path)} cannot be locked ({error.strerror}).") from error
    file.close()
    raise RootError(busy)


class FolderLock:
    """Holds a lock on a folder itself until closed, where no file can be made to be locked.

    Args:
        folder: the folder.
        busy: the error's text if another process holds the lock.

    Raises:
        RootError: another process holds the lock, or the folder cannot be opened or locked.
    """

    def __init__(self, folder: Path, busy: str) -> None:
        try:
            self._descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise RootError(f"{printable(folder)} cannot be locked ({error.strerror}).") from error
        try:
            if take_lock(self._descriptor):
                return
        except OSError as error:
            self.close()
            raise RootError(f"{printable(folder)} cannot be locked ({error.strerror}).") from error
        self.close()
        raise RootError(busy)

    def fileno(self) -> int:
        """Return the descriptor of the folder."""
        return self._descriptor

    def close(self) -> None:
        """Release the lock."""
        os.close(self._descriptor)
