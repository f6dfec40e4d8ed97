"""Accept regular files only: opening a pipe with the name of a photo would wait for a writer for ever."""

import os
import stat
from pathlib import Path

from common.errors import PhotoError, Reason
from contract.geometry import MAX_FILE_BYTES


def regular_file_status(path: Path) -> os.stat_result:
    """The status of a regular file; links are followed.

    Raises:
        PhotoError: the path is a pipe, a socket, a device or a folder, or the file is larger than `MAX_FILE_BYTES`.
        OSError: the path does not exist.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise PhotoError(Reason.UNREADABLE, "it is not a plain file")
    if status.st_size > MAX_FILE_BYTES:
        size, limit = -(-status.st_size >> 20), MAX_FILE_BYTES >> 20
        raise PhotoError(Reason.FILE_TOO_LARGE, f"{size} MiB is more than {limit} MiB, the limit")
    return status
