"""Remove a copy or link that was filed: only while its original is in the inbox, seen immediately before the removal.

The owner of the inbox may take originals away at any moment, also while photos are taken back. So each copy is removed
by itself: its content is read, then that of its original, which is held open so that no other file can get its number,
and at last both names are looked up once more, the original's last.
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
from daemon.undo.plan import ORIGINAL_GONE

_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
"""What opening an original answers that is not there, or has a link in its place or on the way to it."""


def remove_copy(intent: Intent, was: Intent, relpath: Path) -> str:
    """Remove the copy or link that `was` filed; returns why it stays, or nothing.

    Args:
        intent: to take it back, with the copy's identity.
        was: how it was filed.
        relpath: the folder of its original below the inbox, on the way to which no link is followed.

    Raises:
        SourceChangedError: it is not what was filed.
        OpenWriterError: a program holds the copy open for writing.
        OSError: it, or its original, cannot be looked at.
    """
    copy = intent.source
    if intent.mode is Mode.SYMLINK:
        if not copy.is_symlink() or copy.readlink() != was.source:
            raise SourceChangedError
        copy.unlink()  # nothing else is lost by that
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
            refuse_if_held(copy)  # what is written to it would be lost with it
        if look_at(copy) != intent.identity:
            raise SourceChangedError
        if not _still_leads_to(was.source, relpath, seen):
            return ORIGINAL_GONE
        copy.unlink()
    finally:
        os.close(original)
    return ""


def original_is_there(was: Intent) -> bool:
    """Tell whether the original of a copy lies in the inbox, as far as a look tells; a link needs none."""
    if was.mode is Mode.SYMLINK:
        return True
    found = look_at(was.source)
    return found is not None and found.size == was.identity.size


def _sha256_of_copy(intent: Intent, was: Intent) -> str:
    """Hash the copy, which must be what was filed; it is closed then, because a share keeps open files under a name."""
    if look_at(intent.source) != intent.identity:
        raise SourceChangedError
    sha256 = sha256_of(intent.source)
    if was.sha256 and sha256 != was.sha256:
        raise SourceChangedError
    return sha256


def _holds_the_same(original: int, seen: os.stat_result, intent: Intent, sha256: str) -> bool:
    """Tell whether an opened original holds what the copy holds: it is the same file by a second name, or equal."""
    copy = intent.identity
    if (seen.st_dev, seen.st_ino) == (copy.device, copy.inode):
        return seen.st_nlink > 1  # with one name, inbox and output show the same folder, and there is no second one
    if not stat.S_ISREG(seen.st_mode) or seen.st_size != copy.size:
        return False
    return sha256_of(Path(f"/proc/self/fd/{original}")) == sha256


def _still_leads_to(path: Path, relpath: Path, seen: os.stat_result) -> bool:
    """Tell whether a name of the inbox leads to the file that was read, unchanged since."""
    try:
        descriptor = open_photo(path, relpath)
    except OSError:
        return False
    try:
        now = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    return Identity.of(now) == Identity.of(seen) and now.st_ctime_ns == seen.st_ctime_ns
