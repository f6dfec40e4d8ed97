"""The status socket in the state folder. No file of others is touched, and no link is followed.

The path of a socket may have 107 bytes, but the path of a state folder can be longer. So the socket is reached through
a descriptor of the folder, as /proc/self/fd/N/status.sock.
"""

import os
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from common.errors import PhototriageError
from common.text import printable

SOCKET_NAME = "status.sock"
BACKLOG = 64
_UMASK = 0o117  # leaves 0660: for the user and the group of the service


class SocketError(PhototriageError):
    """The socket cannot be opened."""


class BusyError(SocketError):
    """A running daemon listens on the socket."""


@contextmanager
def opened(folder: Path) -> Iterator[int]:
    """Yield a descriptor of a folder, through which its files are reached."""
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def connect(folder: Path, timeout_s: float) -> socket.socket:
    """Return a connection to the daemon of this state folder.

    Raises:
        OSError: no daemon listens (FileNotFoundError, ConnectionRefusedError), or this user may not connect.
    """
    with opened(folder) as descriptor:
        return _connect(descriptor, timeout_s)


def _connect(folder: int, timeout_s: float) -> socket.socket:
    if not stat.S_ISSOCK(os.lstat(SOCKET_NAME, dir_fd=folder).st_mode):
        raise FileNotFoundError(f"{SOCKET_NAME} is no socket")
    caller = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    caller.settimeout(timeout_s)
    until_s = time.monotonic() + timeout_s
    try:
        while True:
            try:
                caller.connect(f"/proc/self/fd/{folder}/{SOCKET_NAME}")
            except BlockingIOError:  # the backlog is full
                if time.monotonic() > until_s:
                    raise TimeoutError("too many others wait for the status") from None
                time.sleep(0.01)
            else:
                return caller
    except BaseException:
        caller.close()
        raise


class ListeningSocket:
    """A socket that listens in a state folder until closed; it replaces the socket of a killed daemon.

    Create it while no other thread creates files, because the umask holds for the whole process.

    Raises:
        BusyError: a running daemon listens there.
        SocketError: another file has this name, or the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        try:
            with opened(folder) as descriptor:
                self._make_room(descriptor)
                self._bind(descriptor)
                status = os.lstat(SOCKET_NAME, dir_fd=descriptor)
        except BaseException as error:
            self.socket.close()
            if isinstance(error, OSError):
                where = printable(folder / SOCKET_NAME)
                raise SocketError(
                    f"`phototriage status` cannot reach this daemon: {where} cannot be created ({error.strerror})."
                ) from error
            raise
        self._inode = (status.st_dev, status.st_ino)

    def close(self) -> None:
        """Stop listening, and remove the file if it is still this socket."""
        self.socket.close()
        try:
            with opened(self._folder) as descriptor:
                status = os.lstat(SOCKET_NAME, dir_fd=descriptor)
                if (status.st_dev, status.st_ino) == self._inode:
                    os.unlink(SOCKET_NAME, dir_fd=descriptor)
        except OSError:
            return  # the folder or the file is gone

    def _make_room(self, folder: int) -> None:
        where = printable(self._folder / SOCKET_NAME)
        try:
            _connect(folder, 1.0).close()
        except ConnectionRefusedError:
            os.unlink(SOCKET_NAME, dir_fd=folder)
        except FileNotFoundError as error:
            if not error.errno:
                raise SocketError(f"{where} is no socket of phototriage. Move it away and start again.") from error
        else:
            raise BusyError(f"Another phototriage listens at {where}.")

    def _bind(self, folder: int) -> None:
        before = os.umask(_UMASK)
        try:
            self.socket.bind(f"/proc/self/fd/{folder}/{SOCKET_NAME}")
        finally:
            os.umask(before)
        self.socket.listen(BACKLOG)
