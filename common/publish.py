"""Write a file atomically: its name holds either the old content or the whole new one, even after a power cut."""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path


def publish_bytes(path: Path, data: bytes) -> None:
    """Write `data` to a hidden temporary file beside `path`, and rename it to `path`.

    Raises:
        OSError: the folder is missing, read-only or full. The file at `path` is unchanged, and no temporary file stays.
    """
    publish_files({path: data})


def publish_files(files: Mapping[Path, bytes]) -> None:
    """Write files of one folder as `publish_bytes` does: all of them, and then the renames in the order given.

    Raises:
        OSError: as there. No file is replaced if one cannot be written whole.
    """
    written: dict[Path, Path] = {}
    try:
        for path, data in files.items():
            # The name is random: in a container process ids repeat, and a killed process may have left a file of that
            # name.
            temporary = path.with_name(f".{secrets.token_hex(8)}.part")
            with temporary.open("xb") as file:
                written[path] = temporary
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        for path, temporary in written.items():
            temporary.rename(path)
    except BaseException:
        for temporary in written.values():
            temporary.unlink(missing_ok=True)
        raise
    for folder in {path.parent for path in files}:
        sync_directory(folder)


def sync_directory(path: str | Path) -> None:
    """Make renames in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
