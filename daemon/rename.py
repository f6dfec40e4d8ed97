"""Move a file to a name that is free, atomically: nothing is ever overwritten, whoever else writes there.

The standard library's renames all overwrite. Linux has `renameat2(RENAME_NOREPLACE)`, which Python reaches through
ctypes alone (31 us a call).
"""

import ctypes
import errno
import os
from functools import cache
from pathlib import Path
from typing import Any

_AT_FDCWD = -100
_RENAME_NOREPLACE = 1
_NOT_SUPPORTED = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)


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
    try:
        renameat2(source, target)
    except OSError as error:
        if error.errno not in _NOT_SUPPORTED:
            raise
        _link_and_unlink(source, target)


def renameat2(source: Path, target: Path) -> None:
    """Call the kernel's own rename that does not overwrite; OSError where there is none, or the name is taken."""
    call = _renameat2_of_libc()
    if call is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if call(_AT_FDCWD, os.fsencode(source), _AT_FDCWD, os.fsencode(target), _RENAME_NOREPLACE) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), str(source), None, str(target))


def _link_and_unlink(source: Path, target: Path) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in (errno.EPERM, *_NOT_SUPPORTED):
            raise
        _reserve_and_rename(source, target)
        return
    try:
        source.unlink()
    except OSError:
        target.unlink()  # a folder that lets nothing go: the file stays where it was, and there alone
        raise


def _reserve_and_rename(source: Path, target: Path) -> None:
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    try:
        source.rename(target)
    except OSError:
        target.unlink()
        raise
