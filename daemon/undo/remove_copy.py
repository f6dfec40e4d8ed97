"""Remove a filed copy or link, but only while its original is in the inbox, checked immediately before the removal.

The owner of the inbox may remove originals at any moment, also during an undo. So each copy is removed by itself. First
its content is read, then the content of its original, which stays open so that no other file can get its inode number.
Finally both names are checked once more, the original's last.
"""

import errno
import os
import stat
from pathlib import Path

from daemon.files.confined import open_photo
from daemon.files.identity import Identity, look_at, sha256_of
from daemon.files.open_writers import refuse_if_held
from daemon.filing.move import SourceChangedError
from daemon.ledger.intent import Intent
from daemon.photo import Mode
from daemon.undo.obstacles import ORIGINAL_GONE

_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
"""Errors of opening an original that is gone, or was replaced by a link, or lies behind one."""


def remove_copy(intent: Intent, was: Intent, relpath: Path) -> str:
    """Remove the copy or link that `was` filed; returns why it stays, or an empty text.

    Args:
        intent: of the undo, with the copy's identity.
        was: the intent that filed it.
        relpath: the folder of its original below the inbox; no link on the way to it is followed.

    Raises:
        SourceChangedError: it is not the file that was filed.
        OpenWriterError: a program holds the copy open for writing.
        OSError: it or its original cannot be checked.
    """
    copy = intent.source
    if intent.mode is Mode.SYMLINK:
        if not copy.is_symlink() or copy.readlink() != was.source:
            raise SourceChangedError
        copy.unlink()  # a link holds no data
        return ""
    sha256 = _sha256_of_copy(intent, was)
    try:
        original = open_photo(was.source, relpath)
    except OSError as error:
        if error.errno not in _GONE:
            raise
        return ORIGINAL_GONE
    try:
        seen = os.fstat(original)
        if not _holds_the_same(original, seen, intent, sha256):
            return ORIGINAL_GONE
        if intent.mode is Mode.COPY:
            refuse_if_held(copy)  # a program could write to the copy, and its data would be lost
        if look_at(copy) != intent.identity:
            raise SourceChangedError
        if not _still_leads_to(was.source, relpath, seen):
            return ORIGINAL_GONE
        copy.unlink()
    finally:
        os.close(original)
    return ""


def original_is_there(was: Intent) -> bool:
    """Tell by name and size whether the original of a copy lies in the inbox; a link needs no original."""
    if was.mode is Mode.SYMLINK:
        return True
    found = look_at(was.source)
    return found is not None and found.size == was.identity.size


def _sha256_of_copy(intent: Intent, was: Intent) -> str:
    """Hash the copy, which must be what was filed; closed at once, because a share keeps the names of open files."""
    if look_at(intent.source) != intent.identity:
        raise SourceChangedError
    sha256 = sha256_of(intent.source)
    if was.sha256 and sha256 != was.sha256:
        raise SourceChangedError
    return sha256


def _holds_the_same(original: int, seen: os.stat_result, intent: Intent, sha256: str) -> bool:
    """Tell whether an open original has the content of the copy: a second name of the same file, or an equal file."""
    copy = intent.identity
    if (seen.st_dev, seen.st_ino) == (copy.device, copy.inode):
        return seen.st_nlink > 1  # one name only: inbox and output are views of one folder, and this is the only file
    if not stat.S_ISREG(seen.st_mode) or seen.st_size != copy.size:
        return False
    return sha256_of(Path(f"/proc/self/fd/{original}")) == sha256


def _still_leads_to(path: Path, relpath: Path, seen: os.stat_result) -> bool:
    """Tell whether a path in the inbox still leads to the file that was read, and the file is unchanged."""
    try:
        descriptor = open_photo(path, relpath)
    except OSError:
        return False
    try:
        now = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    return Identity.of(now) == Identity.of(seen) and now.st_ctime_ns == seen.st_ctime_ns
