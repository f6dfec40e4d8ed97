"""Whether a program holds a file open for writing: then it may still grow, and it is left alone until it is closed.

The kernel knows. Asked for a read lease (F_SETLEASE, fcntl(2)) it answers EAGAIN while anybody has the file open for
writing or has mapped it so. It answers the file's owner and processes with CAP_LEASE alone; others get EACCES whatever
is so. On a share the answer says nothing of what other machines do.
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
    """Ask the kernel about a file of this machine that is opened for reading; None if it does not tell.

    The lease is given back at once: one that is kept holds up every writer. One that a writer breaks meanwhile sends a
    signal, by default SIGIO, which ends the process. SIGURG, which does nothing by default, is asked for instead.
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
    """Tell whether a program holds a file open for writing; None if that cannot be known.

    Args:
        path: of the file, on this machine: on a share nothing can be known.
        relpath: its folder below the inbox, on the way to which no link is followed.
    """
    try:
        return is_open_now(path, relpath)
    except OSError:
        return None


def is_open_now(path: Path, relpath: Path = Path()) -> bool | None:
    """Tell what `is_held_open` tells, of a file that is surely there.

    Raises:
        OSError: it is not, or may not be read.
    """
    try:
        descriptor = open_photo(path, relpath)
    except BlockingIOError:  # somebody has a lease of his own, as Samba for what a client holds open
        return True
    try:
        return is_open_for_writing(descriptor)
    finally:
        os.close(descriptor)


def refuse_if_held(path: Path) -> bool:
    """Raise OpenWriterError if a program is known to hold a file open; returns whether it is sure that none does."""
    held = is_held_open(path)
    if held and not is_on_share(path.parent):
        raise OpenWriterError
    return held is False
