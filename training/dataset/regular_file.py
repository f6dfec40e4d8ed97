"""Photos are plain files: opening a pipe that bears a photo's name would wait for a writer for ever."""

import os
import stat
from pathlib import Path

from contract.errors import PhotoError, Reason


def plain_status(path: Path) -> os.stat_result:
    """The status of a plain file, links followed.

    Raises:
        PhotoError: it is a pipe, a socket, a device or a folder. OSError: there is nothing.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise PhotoError(Reason.UNREADABLE, "it is not a plain file")
    return status
