"""The truth about the inbox: what lies in it now. Events only hint at it."""

import fnmatch
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from daemon.photo import Identity

MARKER = ".phototriage"
_TEMPORARY = (".*", "~*", "*~", "*.part", "*.crdownload", "*.filepart", "*.partial", "*.tmp", "*.download")


def is_temporary(name: str) -> bool:
    """Tell whether a name says that its file is not finished, or hidden: those are left alone."""
    return any(fnmatch.fnmatchcase(name.lower(), shape) for shape in _TEMPORARY)


def look_at(path: Path) -> Identity | None:
    """Look at one file: its identity, or None if there is no regular file of that name. Links are not followed."""
    try:
        status = path.lstat()
    except OSError:
        return None
    return Identity.of(status) if stat.S_ISREG(status.st_mode) else None


def scan(inbox: Path) -> Iterator[Path]:
    """Yield what may be photos: regular files directly in the inbox, without links, folders and temporary names.

    Read as it goes, so that a million files need no more memory than one.

    Raises:
        OSError: the inbox cannot be listed (gone, or not permitted).
    """
    with os.scandir(inbox) as entries:
        for entry in entries:
            if not is_temporary(entry.name) and entry.is_file(follow_symlinks=False):
                yield inbox / entry.name
