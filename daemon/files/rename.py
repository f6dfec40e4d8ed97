"""Move a file to a name that is free, atomically: nothing is ever overwritten, whoever else writes there.

The standard library's renames all overwrite. Linux has `renameat2(RENAME_NOREPLACE)`, which Python reaches through
ctypes alone (31 us a call).
"""

import ctypes
import errno
import os
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from daemon.files.identity import is_on_share
from daemon.files.statx import force_sync

_AT_FDCWD = -100
_RENAME_NOREPLACE = 1
_TO_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)
NOT_SUPPORTED = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)
NO_LINKS = (errno.EPERM, *NOT_SUPPORTED)
"""What the kernel answers where a file cannot have two names: EPERM on FAT and exFAT."""


_have_none: set[int] = set()
"""Devices of shares that have no rename that does not overwrite."""


@cache
def _renameat2_of_libc() -> Any:
    """Look it up once; None where the C library is older than it."""
    function = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if function is not None:
        function.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
    return function


def rename_noreplace(source: Path, target: Path) -> None:
    """Rename within one file system, or raise.

    Where the kernel or the file system has no such rename (some FUSE and network ones), a hard link and an unlink take
    its place; where there are no hard links either, the name is reserved by an empty file that the rename replaces.

    Raises:
        FileExistsError: the name is taken; both files are as they were.
        OSError: anything else, with its errno (EXDEV between file systems); nothing was moved.
    """
    if not _is_known_to_have_none(source):
        try:
            renameat2(source, target)
        except OSError as error:
            if error.errno not in NOT_SUPPORTED:
                raise
            _remember(source.parent)
        else:
            return
    _link_and_unlink(source, target)


def _is_known_to_have_none(source: Path) -> bool:
    """Tell whether its file system refused such a rename before: on a share, asking again costs round trips."""
    return bool(_have_none) and source.parent.stat().st_dev in _have_none


def _remember(folder: Path) -> None:
    if is_on_share(folder):  # a disk gives the same answer for a name that it cannot hold
        _have_none.add(folder.stat().st_dev)


def publish(hidden: Path, target: Path) -> bool:
    """Give a file that is complete under a hidden name of ours its own name too, or raise.

    Both names stay: while the hidden one is there, it proves whose file has the other. Where a file cannot have two
    names, it is renamed.

    Returns:
        Whether the hidden name is still there.

    Raises:
        FileExistsError: the name is taken; the file has its hidden name alone.
        OSError: anything else; on a share it may have been done.
    """
    try:
        os.link(hidden, target, follow_symlinks=False)
    except OSError as error:
        if is_one_file(hidden, target):
            return True  # a share repeated a request whose answer was lost, and met its own work
        if error.errno not in NO_LINKS:
            raise
        rename_noreplace(hidden, target)
        return False
    return True


def is_one_file(path: Path, other: Path) -> bool:
    """Tell whether two names are surely those of one file."""
    try:
        return os.path.samestat(path.lstat(), other.lstat())
    except OSError:
        return False


def renameat2(source: Path, target: Path) -> None:
    """Call the kernel's own rename that does not overwrite; OSError where there is none, or the name is taken."""
    call = _renameat2_of_libc()
    if call is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if call(_AT_FDCWD, os.fsencode(source), _AT_FDCWD, os.fsencode(target), _RENAME_NOREPLACE) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), str(source), None, str(target))


def rename_to_ours(source: Path, target: Path) -> None:
    """Rename within one file system to a hidden name that nobody else uses; in one step also where others are not.

    Raises:
        OSError: nothing was renamed.
    """
    if not _is_known_to_have_none(source):
        try:
            renameat2(source, target)
        except OSError as error:
            if error.errno not in NOT_SUPPORTED:
                raise
            _remember(source.parent)
        else:
            return
    source.rename(target)


def _link_and_unlink(source: Path, target: Path) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        _reserve_and_rename(source, target)
        return
    try:
        source.unlink()
    except OSError as error:
        if still_there(source, error):
            target.unlink()  # a folder that lets nothing go: the file stays where it was, and there alone
        raise


def _reserve_and_rename(source: Path, target: Path) -> None:
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    try:
        source.rename(target)
    except OSError:
        if _is_empty(target):  # still what reserves the name
            target.unlink()
        raise


def _is_empty(path: Path) -> bool:
    """Tell whether a file is surely empty, by its server's word."""
    try:
        descriptor = os.open(path, _TO_READ)
    except OSError:
        return False
    try:
        force_sync(descriptor)
        return os.fstat(descriptor).st_size == 0
    except OSError:
        return False
    finally:
        with suppress(OSError):
            os.close(descriptor)


def still_there(source: Path, error: OSError) -> bool:
    """Tell whether a file is surely where it was, after its removal or renaming failed.

    A share may have done what it then says has failed, as when its server dies before it answers; what a mere look
    tells may be older than that. Only a file that can be opened is there; else what was put elsewhere must stay too.
    """
    if error.errno in _REFUSED:
        return True
    try:
        os.close(os.open(source, _TO_READ))
    except OSError:
        return False
    return True
