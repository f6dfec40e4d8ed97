"""What an original that waited tells: whether it rested, or grew, and whether it is gone or its mount is away."""

import os
import stat
from pathlib import Path

from daemon.copying.extents import same_content
from daemon.files.identity import Identity, is_same_file, look_anew, look_at, sha256_of
from daemon.ledger.intent import Intent
from daemon.ledger.leaving import Left

SAME_TIME_NS = 2_000_000_000
"""A copy's time may differ by so much from its original's: cards and sticks keep it to two seconds."""


def rested(hidden: Path, status: os.stat_result, intent: Intent, left: Left, *, on_share: bool) -> bool:
    """Tell whether an original is as it was copied; it is read for that, but not on a share.

    Args:
        hidden: where it waits.
        status: what a look at it says.
        intent: by which it was filed.
        left: what was remembered of it.
        on_share: it lies on a share.

    Raises:
        OSError: it, or its copy, cannot be read now.
    """
    found = look_anew(hidden) if on_share else Identity.of(status)
    if not stat.S_ISREG(status.st_mode) or not is_same_file(hidden, found, intent.identity, intent.sha256):
        return False
    if on_share:
        return True
    # The time of change tells what was written under an old time. It tells nothing of what is written through a
    # mapping, in memory (tmpfs) or into a page that has not got to the disk yet: only the content does.
    return status.st_ctime_ns == left.changed_ns and _holds_what_was_filed(hidden, intent, left)


def _holds_what_was_filed(hidden: Path, intent: Intent, left: Left) -> bool:
    if intent.sha256:
        return sha256_of(hidden) == intent.sha256
    # A companion has no hash. Its copy tells, unless its owner has edited that or took it further.
    copy, was = look_at(intent.destination), intent.identity
    if copy is None or copy[:3] != (left.copy_device, left.copy_inode, was.size):
        return True
    edited = abs(copy.mtime_ns - was.mtime_ns) >= SAME_TIME_NS
    return edited or same_content(hidden, intent.destination)


def is_grown(status: os.stat_result, intent: Intent) -> bool:
    """Tell whether a file is the original, and nothing was cut off: what was copied of it is a part or an old state."""
    return status.st_ino == intent.identity.inode and status.st_size >= intent.identity.size


def is_its_folder(folder: os.stat_result, intent: Intent, left: Left) -> bool:
    """Tell whether a folder is the one that an original waited in, and not what stands there while its mount is away.

    That may be of the same device: under a mount of another folder (`mount --bind`), or over the inbox.
    """
    known = left.folder_inode in (None, folder.st_ino)
    return known and folder.st_dev == intent.identity.device
