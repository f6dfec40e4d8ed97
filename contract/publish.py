"""Write a file so that its name shows either the old content or the whole new one, also after a power cut."""

import os
import secrets
from pathlib import Path


def publish_bytes(path: Path, data: bytes) -> None:
    """Put `data` at `path` by way of a hidden temporary file beside it and one rename.

    Raises:
        OSError: the folder is missing, read-only or full; whatever stood at `path` is unchanged and no rest is left.
    """
    # Random, for a name made of the process id comes back in a container, where a killed process left its rest.
    temporary = path.with_name(f".{secrets.token_hex(8)}.part")
    file = temporary.open("xb")
    try:
        with file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def sync_directory(path: str | Path) -> None:
    """Make renames in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
