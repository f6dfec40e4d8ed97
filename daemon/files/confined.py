"""Open files and folders below a root without following links, even if another user swaps a folder for a link.

Users who drop photos may own the subfolders of a recursive inbox. After a check they could replace a folder by a link
to files that the daemon may read and move, but they may not. So each folder on the way from the inbox to a file is
opened in turn, without links (openat(2) with O_NOFOLLOW), and all further steps use the opened folder.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from common.publish import sync_directory
from daemon.files.users import may_be_any_user

UNKNOWN_OWNER = (
    "it is a link whose owner is unknown, because the service sees no users but root and its own (PrivateUsers=yes); "
    "put a folder or a bind mount there, or give the link to root: sudo chown -h root LINK"
)
_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
_TO_LIST = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
TO_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""O_NONBLOCK: opening a FIFO in a photo's place must not block."""


def open_photo(path: Path, relpath: Path) -> int:
    """Open a file of the inbox for reading, without following links below the inbox; returns its descriptor.

    Args:
        path: of the file.
        relpath: its folder below the inbox.

    Raises:
        OSError: the file does not exist, may not be read, or a link lies on the way.
    """
    if not relpath.parts:
        return os.open(path, TO_READ)
    folder = _reached(path.parents[len(relpath.parts)], relpath)
    try:
        return os.open(path.name, TO_READ, dir_fd=folder)
    finally:
        os.close(folder)


@contextmanager
def open_folder(root: Path, relpath: Path, *, make: bool = False) -> Iterator[Path]:
    """Yield a path that leads to this folder below a root, even if the folder is renamed or replaced meanwhile.

    The root itself is yielded as given: only the owner of its parent can replace it.

    Args:
        root: absolute, without links.
        relpath: path of the folder below the root.
        make: whether to create missing folders.

    Raises:
        NotADirectoryError: a link, or another file that is not a folder, lies on the way.
        OSError: the folder does not exist, or cannot be created.
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
    """Tell whether a folder below the output exists; a link to a folder counts if its owner is trusted.

    Args:
        path: of the folder.
        root: the output.

    Raises:
        PermissionError: it is a link, and its owner is unknown, or is neither root, nor this user, nor the owner of the
            output.
    """
    try:
        status = path.lstat()
    except FileNotFoundError:
        return False
    if not stat.S_ISLNK(status.st_mode):
        return stat.S_ISDIR(status.st_mode)
    if may_be_any_user(status.st_uid):
        raise PermissionError(errno.EPERM, UNKNOWN_OWNER, str(path))
    if status.st_uid not in (0, os.geteuid(), root.stat().st_uid):
        raise PermissionError(errno.EPERM, f"it is a link that user {status.st_uid} put there", str(path))
    return path.is_dir()


def leads_astray(folder: Path, root: Path) -> bool:
    """Tell whether a folder of the output, or a folder on the way to it, is a link whose owner is not trusted."""
    try:
        for step in (folder, *folder.parents):
            if step == root:
                break
            is_folder(step, root)
    except PermissionError:
        return True
    return False


def read_small(path: Path, most: int = 4096) -> bytes:
    """Read the beginning of a file that other users may have replaced by a link, a pipe or a huge file.

    Raises:
        ValueError: it is not a regular file.
        OSError: it does not exist, or may not be read.
    """
    if path.is_symlink():
        raise ValueError("a link")
    descriptor = os.open(path, TO_READ)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("no file")
        return os.read(descriptor, most)
    finally:
        os.close(descriptor)


def open_to_lock(path: Path) -> IO[bytes]:
    """Open a file in order to lock it: links are refused, and a pipe in its place does not block."""
    return os.fdopen(os.open(path, TO_READ), "rb")


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
    """Give a folder that root made the owner and the mode of its parent.

    A service that runs as that owner could remove nothing from a folder of root. A folder that is not empty was put
    there by another program, and stays as it is.
    """
    if os.listdir(made):
        return
    wanted = os.fstat(above)
    with suppress(OSError):  # a file system without owners, or where root may not change them
        os.fchown(made, wanted.st_uid, wanted.st_gid)
    with suppress(OSError):
        os.fchmod(made, stat.S_IMODE(wanted.st_mode))
