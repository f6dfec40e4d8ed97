"""Where the socket lies: in the state folder, made so that nobody else's file is touched and no link is followed.

The name of a socket may have 107 bytes, and a state folder's path can be longer. So it is reached by way of a
descriptor of the folder, as /proc/self/fd/N/status.sock.
"""

import os
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contract.errors import PhototriageError
from contract.text import printable

NAME = "status.sock"
BACKLOG = 64
_UMASK = 0o117  # what is left is 0660: for the service's user and group


class SocketError(PhototriageError):
    """The socket cannot be had."""


class BusyError(SocketError):
    """A daemon that lives has it."""


@contextmanager
def opened(folder: Path) -> Iterator[int]:
    """Yield a descriptor of a folder, through which names in it are reached."""
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def connect(folder: Path, timeout_s: float) -> socket.socket:
    """Return a connection to the daemon whose state folder this is.

    Raises:
        OSError: there is none (FileNotFoundError, ConnectionRefusedError), or it may not be asked.
    """
    with opened(folder) as descriptor:
        return _connect(descriptor, timeout_s)


def _connect(folder: int, timeout_s: float) -> socket.socket:
    if not stat.S_ISSOCK(os.lstat(NAME, dir_fd=folder).st_mode):
        raise FileNotFoundError(f"{NAME} is no socket")
    caller = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    caller.settimeout(timeout_s)
    until_s = time.monotonic() + timeout_s
    try:
        while True:
            try:
                caller.connect(f"/proc/self/fd/{folder}/{NAME}")
            except BlockingIOError:  # too many stand in line
                if time.monotonic() > until_s:
                    raise TimeoutError("too many others ask") from None
                time.sleep(0.01)
            else:
                return caller
    except BaseException:
        caller.close()
        raise


class Place:
    """A socket that listens in a state folder until closed; one that a killed daemon left is replaced.

    To be made while no other thread makes files: the mask of permissions is one for the whole process.

    Raises:
        BusyError: a daemon that lives has it.
        SocketError: something else has its name, or the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        try:
            with opened(folder) as descriptor:
                self._make_room(descriptor)
                self._bind(descriptor)
                status = os.lstat(NAME, dir_fd=descriptor)
        except BaseException as error:
            self.socket.close()
            if isinstance(error, OSError):
                where = printable(folder / NAME)
                raise SocketError(f"`phototriage status` cannot ask this daemon: {where}: {error.strerror}.") from error
            raise
        self._inode = (status.st_dev, status.st_ino)

    def close(self) -> None:
        """Stop listening, and remove the name if it is still this socket's."""
        self.socket.close()
        try:
            with opened(self._folder) as descriptor:
                status = os.lstat(NAME, dir_fd=descriptor)
                if (status.st_dev, status.st_ino) == self._inode:
                    os.unlink(NAME, dir_fd=descriptor)
        except OSError:
            return  # the folder is gone, or the name is

    def _make_room(self, folder: int) -> None:
        where = printable(self._folder / NAME)
        try:
            _connect(folder, 1.0).close()
        except ConnectionRefusedError:
            os.unlink(NAME, dir_fd=folder)
        except FileNotFoundError as error:
            if not error.errno:
                raise SocketError(f"{where} is no socket of phototriage. Move it away and start again.") from error
        else:
            raise BusyError(f"Another phototriage listens at {where}.")

    def _bind(self, folder: int) -> None:
        before = os.umask(_UMASK)
        try:
            self.socket.bind(f"/proc/self/fd/{folder}/{NAME}")
        finally:
            os.umask(before)
        self.socket.listen(BACKLOG)
