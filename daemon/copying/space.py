"""How much is free where a file lies."""

import os


def free_bytes(descriptor: int) -> int | None:
    """Return what an ordinary user may still write to the file system of an open file; None where one cannot tell.

    Many a share answers zero, or not at all, because it does not know.
    """
    try:
        space = os.fstatvfs(descriptor)
    except OSError:
        return None
    return space.f_bavail * space.f_frsize or None
