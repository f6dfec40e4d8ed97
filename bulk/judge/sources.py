"""The bytes behind a row of a plan: a local file, or a copy of what a URL holds."""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bulk.storage import file_system, local_path
from daemon.files.identity import look_at
from daemon.photo import Found


@dataclass(frozen=True, slots=True)
class Source:
    """A file to judge.

    Attributes:
        found: the file.
        changed: how it differs from its row in the plan; empty if it does not.
        is_copy: whether it is a temporary copy.
    """

    found: Found
    changed: str = ""
    is_copy: bool = False

    def close(self) -> None:
        """Remove a temporary copy."""
        if self.is_copy:
            with suppress(OSError):
                self.found.path.unlink()


def source_of(case: Mapping[str, Any], folder: Path) -> Source | None:
    """Return what a row of a plan names; None if it is not there any more.

    Args:
        case: the row.
        folder: for temporary copies.
    """
    path = local_path(case["path"])
    return _fetched(case, folder) if path is None else _local(case, path)


def _local(case: Mapping[str, Any], path: Path) -> Source | None:
    identity = look_at(path)
    if identity is None and path.is_symlink():  # such as a name in a store of contents
        path = Path(os.path.realpath(path))
        identity = look_at(path)
    if identity is None:
        return None
    return Source(Found(path, identity), _difference(case, identity.size, str(identity.mtime_ns)))


def _fetched(case: Mapping[str, Any], folder: Path) -> Source | None:
    """Copy an object to a file, because decoding a suspect in a process of its own needs one.

    Its name is the same at each try, so that the crash journal knows it again.
    """
    files, place = file_system(case["path"])
    path = folder / f"{case['id']}{Path(place).suffix}"
    try:
        info = files.info(place)
        path.write_bytes(files.cat_file(place))
    except FileNotFoundError:
        return None
    identity = look_at(path)
    assert identity is not None
    return Source(Found(path, identity), _difference(case, identity.size, str(info.get("ETag", ""))), is_copy=True)


def _difference(case: Mapping[str, Any], size: int, stamp: str) -> str:
    if case["size"] is not None and case["size"] != size:
        return f"judged as it is now: it had {case['size']:,} bytes when it was listed, and has {size:,}"
    if case["stamp"] and stamp and case["stamp"] != stamp:
        return "judged as it is now: it was changed after it was listed"
    return ""
