"""Whether a file is the one that an intent names, also where numbers of files do not last.

Shares through FUSE number their files anew at each mount, and give a file that was renamed another number; a disk that
is mounted again may be another device. There the content, its size and its time have to tell.
"""

import hashlib
import os
from pathlib import Path

from daemon.files.mounts import mount_of
from daemon.photo import Identity


def is_same_file(path: Path, found: Identity | None, identity: Identity, sha256: str) -> bool:
    """Tell whether what was found at a path is the file that `identity` names.

    Args:
        path: where it was found.
        found: what was found there.
        identity: as it was before.
        sha256: of its content; empty if that was never read.

    Raises:
        OSError: it cannot be read now.
    """
    if is_same_inode(path, found, identity, sha256):
        return True
    if found is None or (found.size, found.mtime_ns) != (identity.size, identity.mtime_ns):
        return False
    mount = mount_of(path.parent)
    renumbered = mount is not None and (mount.is_share or not mount.numbers_last)
    return renumbered and (not sha256 or sha256_of(path) == sha256)


def is_same_inode(path: Path, found: Identity | None, identity: Identity, sha256: str) -> bool:
    """Tell as `is_same_file` does, but only where numbers of files last: their device alone may have another number."""
    if found is None or found == identity:
        return found is not None
    mounted_anew = found[1:] == identity[1:]
    return mounted_anew and (not sha256 or sha256_of(path) == sha256)


def is_on_share(folder: Path) -> bool:
    """Tell whether a folder lies on a share."""
    mount = mount_of(folder)
    return mount is not None and mount.is_share


def numbers_last(folder: Path) -> bool:
    """Tell whether the numbers of files in a folder prove which is which: on most shares and on FAT they do not."""
    mount = mount_of(folder)
    return mount is None or mount.numbers_last


def sha256_of(path: Path) -> str:
    """Hash a file in pieces."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:  # it may be a FIFO by now
        return hashlib.file_digest(file, "sha256").hexdigest()
