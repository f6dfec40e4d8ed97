"""Proof that a file at a destination was put there by an intent: its inode, or the hidden name that a copy keeps.

Equal content and time prove nothing: two inboxes with the same photo may share an output.
"""

import stat
from contextlib import suppress
from pathlib import Path

from daemon.copying.extents import same_content
from daemon.files.identity import SAME_TIME_NS, Identity, is_same_file, is_same_inode, numbers_last, sha256_of
from daemon.files.limits import REFUSED
from daemon.files.mounts import mount_of
from daemon.files.probe import has_links, has_noreplace
from daemon.files.rename import is_one_file
from daemon.filing.move import former_temporary_beside, temporary_beside
from daemon.ledger.intent import Intent
from daemon.photo import Mode


def hidden_of(intent: Intent) -> Path:
    """Return the hidden name of an intent's copy, as chosen by the version that wrote the intent."""
    name = former_temporary_beside if intent.by_rename else temporary_beside
    return name(intent.destination, intent.source, intent.identity)


def look_for(path: Path) -> Identity | None:
    """Return the identity of a file, or None if there is none; unlike a scan, raise any other error.

    No file can have a name that the file system refuses, so nothing was ever published or copied there.
    """
    try:
        status = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno in REFUSED:
            return None
        raise
    return Identity.of(status) if stat.S_ISREG(status.st_mode) else None


def is_equal(source: Path, intent: Intent) -> bool:
    """Tell whether a file has the content that was filed: an edit may keep inode, size and time.

    Args:
        source: path of the file.
        intent: the intent that filed it.

    Raises:
        OSError: the file, or the copy of a companion, cannot be read now.
    """
    if intent.sha256:
        return sha256_of(source) == intent.sha256
    return same_content(source, intent.destination)


def is_published(intent: Intent, hidden: Path, *, stays: bool) -> bool:
    """Tell whether this intent put the file at the destination there.

    Args:
        intent: the planned move.
        hidden: the hidden name of a copy.
        stays: whether the original is where it was.
    """
    target = intent.destination
    if intent.mode is Mode.SYMLINK:
        with suppress(OSError):
            return target.readlink() == intent.source
        return False
    found = look_for(target)
    if found is None:
        return False
    if is_one_file(intent.source, target) and stays:
        # A rename that never overwrites is one step and leaves no second link: then this link is another inbox's.
        return intent.mode is Mode.HARDLINK or (intent.mode is Mode.MOVE and not has_noreplace(target.parent))
    if intent.mode is Mode.HARDLINK:
        return not (stays and numbers_last(target.parent)) and is_same_file(
            target, found, intent.identity, intent.sha256
        )
    if not stays and intent.mode is Mode.MOVE and is_same_inode(target, found, intent.identity, intent.sha256):
        return True
    return _is_our_copy(intent, hidden, found, stays=stays)


def _is_our_copy(intent: Intent, hidden: Path, found: Identity, *, stays: bool) -> bool:
    target = intent.destination
    if look_for(hidden) is not None:
        linked = is_one_file(hidden, target) or (not numbers_last(target.parent) and has_links(target.parent))
        return linked and _is_there(intent, found, stays=stays)
    if not _is_there(intent, found, stays=stays):
        return False
    # If a proof is possible and missing, the copy was never published. If the original is gone, nothing is removed.
    return not stays or intent.by_rename or not _leaves_a_proof(intent)


def _leaves_a_proof(intent: Intent) -> bool:
    """Tell whether this intent leaves a proof beyond the content of the file.

    A copy leaves none on a file system without hard links, nor does a link and unlink where inode numbers change.
    """
    here, there = intent.source.parent, intent.destination.parent
    if intent.mode is Mode.MOVE and mount_of(here) == mount_of(there):
        return numbers_last(there) or has_noreplace(there)
    return has_links(there)


def _is_there(intent: Intent, found: Identity, *, stays: bool) -> bool:
    """Tell whether the destination has the intended content, and the intended time if the original stays."""
    if found.size != intent.identity.size:
        return False
    same_time = abs(found.mtime_ns - intent.identity.mtime_ns) < SAME_TIME_NS
    if stays and not same_time:
        return False
    if intent.sha256:
        return sha256_of(intent.destination) == intent.sha256
    if stays:  # a companion has no hash
        return same_content(intent.destination, intent.source)
    return same_time
