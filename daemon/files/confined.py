"""Ways below a root that nobody can bend: whoever may write to a folder may swap one in it for a link, at any moment.

A folder of a recursive inbox belongs to whoever drops photos there. A path that was looked at would lead elsewhere in
the next moment, to files that the daemon may read and move and that one may not. So the way from the inbox to a file is
opened step by step, without links (openat(2) with O_NOFOLLOW), and what follows is done in the folder that was reached.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Literal

from contract.publish import sync_directory
from daemon.files.users import may_be_anybodys

UNKNOWN_MAKER = (
    "it is a link, and who made it cannot be told here, because the service sees no users but root and its own "
    "(PrivateUsers=yes); put a folder or a bind mount there, or give the link to root: sudo chown -h root LINK"
)
_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
_TO_LIST = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_TO_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""O_NONBLOCK: a FIFO that took a photo's place must not be waited for."""


def open_photo(path: Path, relpath: Path) -> int:
    """Open a file of the inbox for reading, no link on the way below the inbox; returns its descriptor.

    Args:
        path: of the file.
        relpath: its folder below the inbox.

    Raises:
        OSError: it is not there, may not be read, or a link lies on the way.
    """
    if not relpath.parts:
        return os.open(path, _TO_READ)
    folder = _reached(path.parents[len(relpath.parts)], relpath)
    try:
        return os.open(path.name, _TO_READ, dir_fd=folder)
    finally:
        os.close(folder)


@contextmanager
def open_folder(root: Path, relpath: Path, *, make: bool = False) -> Iterator[Path]:
    """Yield a path to a folder below a root which leads to that folder whatever takes its name meanwhile.

    The root itself is yielded as it is: who can replace that owns the folder above.

    Args:
        root: absolute, without links.
        relpath: of the folder below it.
        make: what is missing on the way.

    Raises:
        NotADirectoryError: a link, or something else that is no folder, lies on the way.
        OSError: it is not there, or cannot be made.
    """
    if not relpath.parts:
        yield root
        return
    folder = _reached(root, relpath, make=make)
    try:
        yield Path(f"/proc/self/fd/{folder}")
    finally:
        os.close(folder)


def is_folder(path: Path, root: Path) -> bool:
    """Tell whether a folder below the output is there; a link to one counts if somebody who may decide that made it.

    Raises:
        PermissionError: it is a link, and neither root's, nor this user's, nor of the owner of the output; or it cannot
            be told whose it is.
    """
    try:
        status = path.lstat()
    except FileNotFoundError:
        return False
    if not stat.S_ISLNK(status.st_mode):
        return stat.S_ISDIR(status.st_mode)
    if may_be_anybodys(status.st_uid):
        raise PermissionError(errno.EPERM, UNKNOWN_MAKER, str(path))
    if status.st_uid not in (0, os.geteuid(), root.stat().st_uid):
        raise PermissionError(errno.EPERM, f"it is a link that user {status.st_uid} put there", str(path))
    return path.is_dir()


def leads_astray(folder: Path, root: Path) -> bool:
    """Tell whether a folder of the output, or one on the way to it, is a link that somebody made who may not decide."""
    try:
        for step in (folder, *folder.parents):
            if step == root:
                break
            is_folder(step, root)
    except PermissionError:
        return True
    return False


def read_small(path: Path, most: int = 4096) -> bytes:
    """Read the beginning of a file that others may have replaced by a link, a pipe or a flood.

    Raises:
        ValueError: it is no regular file.
        OSError: it is not there, or may not be read.
    """
    if path.is_symlink():
        raise ValueError("a link")
    descriptor = os.open(path, _TO_READ)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("no file")
        return os.read(descriptor, most)
    finally:
        os.close(descriptor)


def open_to_lock(path: Path, mode: Literal["rb", "ab"]) -> IO[bytes]:
    """Open a file that is locked then: no link, and a pipe that somebody put there is not waited for."""
    flags = os.O_RDONLY if mode == "rb" else os.O_WRONLY | os.O_CREAT | os.O_APPEND
    return os.fdopen(os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o666), mode)


def _reached(root: Path, relpath: Path, *, make: bool = False) -> int:
    folder = os.open(root, _FOLDER)
    for name in relpath.parts:
        try:
            inner = _entered(folder, name, make=make)
        except NotADirectoryError as error:
            error.strerror = "a link or a file lies where a folder should be"
            raise
        finally:
            os.close(folder)
        folder = inner
    return folder


def _entered(folder: int, name: str, *, make: bool) -> int:
    try:
        return os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)
    except FileNotFoundError:
        if not make:
            raise
    is_root = os.geteuid() == 0
    os.mkdir(name, 0o700 if is_root else 0o777, dir_fd=folder)
    made = os.open(name, (_TO_LIST if is_root else _FOLDER) | os.O_NOFOLLOW, dir_fd=folder)
    if is_root:
        _give_like(folder, made)
    sync_directory(Path(f"/proc/self/fd/{folder}"))
    return made


def _give_like(above: int, made: int) -> None:
    """Give a folder that root made to the owner of the one above, with its mode.

    A service that works as that owner could take nothing out of root's. A folder that holds something was put in its
    place by somebody else, and stays as it is.
    """
    if os.listdir(made):
        return
    wanted = os.fstat(above)
    with suppress(OSError):  # a file system that knows no owners, or lets root change none
        os.fchown(made, wanted.st_uid, wanted.st_gid)
    with suppress(OSError):
        os.fchmod(made, stat.S_IMODE(wanted.st_mode))
