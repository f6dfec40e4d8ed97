"""Whether a program holds a file open for writing: such a file may still grow, so it is left alone until it is closed.

The kernel knows. It refuses a read lease (F_SETLEASE, fcntl(2)) with EAGAIN while any program has the file open for
writing or mapped for writing. Only the file's owner and processes with CAP_LEASE get this answer; others always get
EACCES. On a share the answer says nothing about other machines.
"""

import fcntl
import os
import signal
from pathlib import Path

from daemon.files.confined import open_photo
from daemon.files.identity import is_on_share

HELD = "a program holds it open for writing"


class OpenWriterError(Exception):
    """A program holds the file open for writing; it is where it was."""


def is_open_for_writing(descriptor: int) -> bool | None:
    """Ask the kernel about a local file that is open for reading; None if the kernel does not tell.

    The lease is returned at once, because a lease delays every writer. A writer that breaks the lease meanwhile sends a
    signal, by default SIGIO, which ends the process. So SIGURG is requested, which does nothing by default.
    """
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except BlockingIOError:
        return True
    except OSError:
        return None
    fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return False


def is_held_open(path: Path, relpath: Path = Path()) -> bool | None:
    """Tell whether a program holds a file open for writing; None if that is unknown.

    Args:
        path: of a local file: on a share the answer is meaningless.
        relpath: its folder below the inbox; no link on the way to it is followed.
    """
    try:
        return is_open_now(path, relpath)
    except OSError:
        return None


def is_open_now(path: Path, relpath: Path = Path()) -> bool | None:
    """As `is_held_open`, but raise an error if the file cannot be opened.

    Raises:
        OSError: the file does not exist, or may not be read.
    """
    try:
        descriptor = open_photo(path, relpath)
    except BlockingIOError:  # another program has a lease, as Samba has for files that its clients hold open
        return True
    try:
        return is_open_for_writing(descriptor)
    finally:
        os.close(descriptor)


def refuse_if_held(path: Path) -> bool:
    """Raise OpenWriterError if a program holds a file open for writing; True if it is certain that none does."""
    held = is_held_open(path)
    if held and not is_on_share(path.parent):
        raise OpenWriterError
    return held is False
