"""Checks of an original that waited: is it unchanged, did it grow, is it gone or only its mount away?"""

import os
import stat
from pathlib import Path

from daemon.copying.extents import same_content
from daemon.files.identity import SAME_TIME_NS, Identity, is_same_file, look_at, look_fresh, sha256_of
from daemon.ledger.intent import Intent
from daemon.ledger.leaving import LeavingOriginal


def is_unchanged(
    hidden: Path, status: os.stat_result, intent: Intent, leaving: LeavingOriginal, *, on_share: bool
) -> bool:
    """Tell whether an original is unchanged since it was copied; its content is read, except on a share.

    Args:
        hidden: its hidden name.
        status: its `lstat` now.
        intent: the intent that filed it.
        leaving: what the ledger remembers of it.
        on_share: it lies on a share.

    Raises:
        OSError: the original or its copy cannot be read now.
    """
    found = look_fresh(hidden) if on_share else Identity.of(status)
    if not stat.S_ISREG(status.st_mode) or not is_same_file(hidden, found, intent.identity, intent.sha256):
        return False
    if on_share:
        return True
    # The time of change (ctime) reveals a write that kept the old modification time. It does not reveal a write through
    # a mapping, on tmpfs or before the page reached the disk. So the content is compared too.
    return status.st_ctime_ns == leaving.changed_ns and _holds_what_was_filed(hidden, intent, leaving)


def _holds_what_was_filed(hidden: Path, intent: Intent, leaving: LeavingOriginal) -> bool:
    if intent.sha256:
        return sha256_of(hidden) == intent.sha256
    # A companion has no hash, so it is compared with its copy, unless the owner edited or moved the copy.
    copy, was = look_at(intent.destination), intent.identity
    if copy is None or copy[:3] != (leaving.copy_device, leaving.copy_inode, was.size):
        return True
    edited = abs(copy.mtime_ns - was.mtime_ns) >= SAME_TIME_NS
    return edited or same_content(hidden, intent.destination)


def is_grown(status: os.stat_result, intent: Intent) -> bool:
    """Tell whether a file is the original and is not shorter: then its copy is a part or an old state."""
    return status.st_ino == intent.identity.inode and status.st_size >= intent.identity.size


def is_its_folder(folder: os.stat_result, intent: Intent, leaving: LeavingOriginal) -> bool:
    """Tell whether a folder is the one in which an original waited, and not the folder under a mount that is away.

    The device does not tell: it is the same under a mount of another folder (`mount --bind`), or over the inbox.
    """
    known = leaving.folder_inode in (None, folder.st_ino)
    return known and folder.st_dev == intent.identity.device
