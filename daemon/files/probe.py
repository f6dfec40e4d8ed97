"""Probe what a file system can do, by trying it in a folder; needed only if a crash left a file that may be ours."""

import errno
import os
import uuid
from collections.abc import Callable
from pathlib import Path

from daemon.files.rename import NO_LINKS, NOT_SUPPORTED, renameat2


def has_links(folder: Path) -> bool:
    """Tell whether a file in a folder can have two names: exFAT, FAT and some shares have no hard links.

    Raises:
        OSError: it cannot be tried out, as where the folder may not be written.
    """
    return _works(os.link, folder, NO_LINKS)


def has_noreplace(folder: Path) -> bool:
    """Tell whether a file in a folder can be renamed in one step that overwrites nothing.

    Raises:
        OSError: it cannot be tried out, as where the folder may not be written.
    """
    return _works(renameat2, folder, NOT_SUPPORTED)


def _works(call: Callable[[Path, Path], None], folder: Path, refusals: tuple[int, ...]) -> bool:
    one, other = (folder / f".{uuid.uuid4().hex}.phototriage-part" for _ in range(2))
    os.close(os.open(one, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    try:
        call(one, other)
    except OSError as error:
        if error.errno in (*refusals, errno.ENOSYS):
            return False
        raise
    finally:
        for path in (one, other):
            path.unlink(missing_ok=True)
    return True
