"""Whether a file is the one that was seen before, also where numbers of files do not last."""

import hashlib
import os
import stat
from contextlib import suppress
from hashlib import blake2s
from pathlib import Path
from typing import NamedTuple

from daemon.files.mounts import mount_of
from daemon.files.statx import force_sync

_MOST_NS = (1 << 62) - 1
"""In the year 2116. Btrfs and tmpfs keep times that no 64 bits of nanoseconds hold, and anybody may set them."""


class Identity(NamedTuple):
    """What makes a file this file: a new photo under an old name differs in one of these."""

    device: int
    inode: int
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> "Identity":
        """Take it from what `stat` said."""
        changed_ns = status.st_mtime_ns
        if not -_MOST_NS < changed_ns < _MOST_NS:
            changed_ns = _MOST_NS if changed_ns > 0 else -_MOST_NS
        return cls(status.st_dev, status.st_ino, status.st_size, changed_ns)


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
    remounted = found[1:] == identity[1:]
    return remounted and (not sha256 or sha256_of(path) == sha256)


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


def look_at(path: Path) -> Identity | None:
    """Look at one file: its identity, or None if there is no regular file of that name. Links are not followed."""
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return Identity.of(status) if stat.S_ISREG(status.st_mode) else None


def look_closely_at(path: Path) -> tuple[Identity, float] | None:
    """Look at one file as `look_at` does; its identity, and when it was last changed, in seconds since 1970."""
    try:
        status = os.lstat(path)
    except OSError:
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return Identity.of(status), max(status.st_mtime, status.st_ctime)


def look_fresh(path: Path) -> Identity | None:
    """Look at one file as it is on its server: what is merely looked up may be 20 s old there (sshfs) or 60 (NFS).

    A file that is opened is asked for anew by the clients of shares, and the kernel passes that on if it is made to.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return look_at(path)  # as of a photo that may not be read, which is not for the look to say
    try:
        force_sync(descriptor)
        status = os.fstat(descriptor)
    except OSError:
        return None
    finally:
        close(descriptor)
    return Identity.of(status) if stat.S_ISREG(status.st_mode) else None


def close(descriptor: int) -> None:
    """Close a file that was only read: that a share has an error to tell at this moment means nothing."""
    with suppress(OSError):
        os.close(descriptor)


def photo_id(identity: Identity) -> str:
    """Return the id of a photo in the log and in the ledger: the same as long as the file is, moved or not."""
    words = f"{identity.device}:{identity.inode}:{identity.size}:{identity.mtime_ns}"
    return blake2s(words.encode(), digest_size=5).hexdigest()
