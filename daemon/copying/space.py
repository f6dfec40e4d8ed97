"""Free space on the file system of a file."""

import os


def free_bytes(descriptor: int) -> int | None:
    """Return how many bytes an ordinary user may still write to the file system of an open file; None if unknown.

    Some shares answer zero, or nothing, because they do not know.
    """
    try:
        space = os.fstatvfs(descriptor)
    except OSError:
        return None
    return space.f_bavail * space.f_frsize or None
