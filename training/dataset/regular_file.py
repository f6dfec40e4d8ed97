"""Accept regular files only: opening a pipe with the name of a photo would wait for a writer for ever."""

import os
import stat
from pathlib import Path

from common.errors import PhotoError, Reason


def regular_file_status(path: Path) -> os.stat_result:
    """The status of a regular file; links are followed.

    Raises:
        PhotoError: the path is a pipe, a socket, a device or a folder.
        OSError: the path does not exist.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise PhotoError(Reason.UNREADABLE, "it is not a plain file")
    return status
