"""Identity of a file: whether it is the one that was seen before, even where inode numbers change."""

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
"""In the year 2116. On Btrfs and tmpfs anybody may set times that do not fit into 64 bits of nanoseconds."""

SAME_TIME_NS = 2_000_000_000
"""Tolerance between the times of a copy and its original: cards and sticks store times in steps of two seconds."""


class Identity(NamedTuple):
    """Facts that identify a file: a new photo under an old name differs in at least one."""

    device: int
    inode: int
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> "Identity":
        """Return the identity from a result of `stat`."""
        changed_ns = status.st_mtime_ns
        if not -_MOST_NS < changed_ns < _MOST_NS:
            changed_ns = _MOST_NS if changed_ns > 0 else -_MOST_NS
        return cls(status.st_dev, status.st_ino, status.st_size, changed_ns)


def is_same_file(path: Path, found: Identity | None, identity: Identity, sha256: str) -> bool:
    """Tell whether what was found at a path is the file that `identity` names.

    Args:
        path: of the file that was found.
        found: its identity.
        identity: of the file that was seen before.
        sha256: of that file's content; empty if the content was never read.

    Raises:
        OSError: the file cannot be read now.
    """
    if is_same_inode(path, found, identity, sha256):
        return True
    if found is None or (found.size, found.mtime_ns) != (identity.size, identity.mtime_ns):
        return False
    mount = mount_of(path.parent)
    renumbered = mount is not None and (mount.is_share or not mount.numbers_last)
    return renumbered and (not sha256 or sha256_of(path) == sha256)


def is_same_inode(path: Path, found: Identity | None, identity: Identity, sha256: str) -> bool:
    """As `is_same_file`, but only by inode number; the device may have another number since."""
    if found is None or found == identity:
        return found is not None
    remounted = found[1:] == identity[1:]
    return remounted and (not sha256 or sha256_of(path) == sha256)


def is_on_share(folder: Path) -> bool:
    """Tell whether a folder lies on a share."""
    mount = mount_of(folder)
    return mount is not None and mount.is_share


def numbers_last(folder: Path) -> bool:
    """Tell whether inode numbers in a folder are permanent: on most shares and on FAT they are not."""
    mount = mount_of(folder)
    return mount is None or mount.numbers_last


def sha256_of(path: Path) -> str:
    """Hash a file in pieces."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:  # may be a FIFO by now
        return hashlib.file_digest(file, "sha256").hexdigest()


def look_at(path: Path) -> Identity | None:
    """Return a file's identity, or None if there is no regular file of that name. Links are not followed."""
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return Identity.of(status) if stat.S_ISREG(status.st_mode) else None


def look_closely_at(path: Path) -> tuple[Identity, float] | None:
    """Return a file's identity like `look_at`, and the time of its last change in seconds since 1970."""
    try:
        status = os.lstat(path)
    except OSError:
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return Identity.of(status), max(status.st_mtime, status.st_ctime)


def look_fresh(path: Path) -> Identity | None:
    """Return a file's identity as its server knows it: a plain look may be 20 s old on sshfs, and 60 s on NFS.

    Opening a file makes the client of a share ask the server, and `force_sync` makes the kernel do so too.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return look_at(path)  # a photo that may not be read: decoding reports that
    try:
        force_sync(descriptor)
        status = os.fstat(descriptor)
    except OSError:
        return None
    finally:
        close(descriptor)
    return Identity.of(status) if stat.S_ISREG(status.st_mode) else None


def close(descriptor: int) -> None:
    """Close a file that was only read; an error that a share reports at this moment means nothing."""
    with suppress(OSError):
        os.close(descriptor)


def photo_id(identity: Identity) -> str:
    """Return a photo's id for the log and the ledger: the same for the life of the file, moved or not."""
    return id_of_words(f"{identity.device}:{identity.inode}:{identity.size}:{identity.mtime_ns}")


def id_of_words(words: str) -> str:
    """Return the id for `DEVICE:INODE:SIZE:MTIME_NS`."""
    return blake2s(words.encode(), digest_size=5).hexdigest()
