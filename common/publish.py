"""Write a file atomically: its name holds either the old content or the whole new one, even after a power cut."""

import os
import secrets
from pathlib import Path


def publish_bytes(path: Path, data: bytes) -> None:
    """Write `data` to a hidden temporary file beside `path`, and rename it to `path`.

    Raises:
        OSError: the folder is missing, read-only or full. The file at `path` is unchanged, and no temporary file stays.
    """
    # The name is random: in a container process ids repeat, and a killed process may have left a file of that name.
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
