"""Rename a file to a free name atomically: nothing is ever overwritten, even if other programs write there.

All renames of the standard library overwrite. Linux has `renameat2(RENAME_NOREPLACE)`, which Python can only call
through ctypes (31 us per call).
"""

import ctypes
import errno
import os
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from daemon.files.confined import TO_READ
from daemon.files.identity import is_on_share
from daemon.files.statx import force_sync

_AT_FDCWD = -100
_RENAME_NOREPLACE = 1
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)
NOT_SUPPORTED = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)
NO_LINKS = (errno.EPERM, *NOT_SUPPORTED)
"""Errors where a file cannot have two names: EPERM on FAT and exFAT."""

_have_none: set[int] = set()
"""Devices of shares without a rename that never overwrites."""


@cache
def _renameat2_of_libc() -> Any:
    """Look up the function once; None if the C library is too old."""
    function = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if function is not None:
        function.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
    return function


def rename_noreplace(source: Path, target: Path) -> None:
    """Rename within one file system without overwriting.

    If the kernel or the file system has no such rename (some FUSE and network file systems), a hard link and an unlink
    replace it. Without hard links, an empty file reserves the name, and the rename replaces this file.

    Args:
        source: path of the file.
        target: its new path.

    Raises:
        FileExistsError: the name is taken; both files are unchanged.
        OSError: any other error, with its errno (EXDEV between file systems); nothing was moved.
    """
    if not _renamed_by_kernel(source, target):
        _link_and_unlink(source, target)


def _renamed_by_kernel(source: Path, target: Path) -> bool:
    """Rename without overwriting, in one step; False where the file system has no such rename.

    Raises:
        OSError: nothing was renamed.
    """
    if _is_known_to_have_none(source):
        return False
    try:
        renameat2(source, target)
    except OSError as error:
        if error.errno not in NOT_SUPPORTED:
            raise
        _remember(source.parent)
        return False
    return True


def _is_known_to_have_none(source: Path) -> bool:
    """Tell whether this share refused such a rename before: trying again would cost round trips."""
    return bool(_have_none) and source.parent.stat().st_dev in _have_none


def _remember(folder: Path) -> None:
    if is_on_share(folder):  # a disk gives the same error for a name that it cannot hold, so it proves nothing there
        _have_none.add(folder.stat().st_dev)


def publish(hidden: Path, target: Path) -> bool:
    """Give a complete file with a hidden name its final name too.

    Both names stay: the hidden name proves that the other one is our file. If a file cannot have two names, it is
    renamed.

    Args:
        hidden: its hidden name.
        target: its final name, in the same folder.

    Returns:
        Whether the hidden name is still there.

    Raises:
        FileExistsError: the name is taken; the file has only its hidden name.
        OSError: any other error; on a share the file may have been published.
    """
    try:
        os.link(hidden, target, follow_symlinks=False)
    except OSError as error:
        if is_one_file(hidden, target):
            return True  # the share lost a reply, repeated the request and found its own result
        if error.errno not in NO_LINKS:
            raise
        rename_noreplace(hidden, target)
        return False
    return True


def is_one_file(path: Path, other: Path) -> bool:
    """Tell whether two names certainly belong to one file."""
    try:
        return os.path.samestat(path.lstat(), other.lstat())
    except OSError:
        return False


def renameat2(source: Path, target: Path) -> None:
    """Call the kernel's rename that never overwrites; OSError if there is none, or the name is taken."""
    call = _renameat2_of_libc()
    if call is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if call(_AT_FDCWD, os.fsencode(source), _AT_FDCWD, os.fsencode(target), _RENAME_NOREPLACE) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), str(source), None, str(target))


def rename_to_ours(source: Path, target: Path) -> None:
    """Rename within one file system to a hidden name that no other program uses; always one step.

    Raises:
        OSError: nothing was renamed.
    """
    if not _renamed_by_kernel(source, target):
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
            target.unlink()  # the folder forbids the removal: the file stays where it was, and only there
        raise


def _reserve_and_rename(source: Path, target: Path) -> None:
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    try:
        source.rename(target)
    except OSError:
        if _is_empty(target):  # still the file that reserves the name
            target.unlink()
        raise


def _is_empty(path: Path) -> bool:
    """Tell whether a file is certainly empty, also on its server."""
    try:
        descriptor = os.open(path, TO_READ)
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
    """Tell whether a file is certainly still in its place after its removal or rename failed.

    A share may report a failure although it did the work, for example if its server died before the reply, and a plain
    look may show an older state. Only a file that can be opened is certainly there. Otherwise the new file must stay.
    """
    if error.errno in _REFUSED:
        return True
    try:
        os.close(os.open(source, TO_READ))
    except OSError:
        return False
    return True
