"""The bytes behind a row of a plan: a local file, or a copy of what a URL holds."""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bulk.errors import BulkError, StorageError
from bulk.storage import file_system, local_path, stamp_of, storage_errors
from common.errors import PhotoError, Reason
from common.text import printable
from daemon.decode.contents import unreadable
from daemon.files.identity import Identity, is_on_share
from daemon.photo import Found


@dataclass(frozen=True, slots=True)
class Source:
    """What a row of a plan names.

    Attributes:
        found: the file to judge; None if there is none.
        fault: why there is none.
        changed: how it differs from its row in the plan; empty if it does not.
        is_copy: whether it is a temporary copy.
    """

    found: Found | None
    fault: PhotoError | None = None
    changed: str = ""
    is_copy: bool = False

    def close(self) -> None:
        """Remove a temporary copy."""
        if self.is_copy and self.found is not None:
            with suppress(OSError):
                self.found.path.unlink()


GONE = Source(None, PhotoError(Reason.CHANGED, "it was taken away after it was listed"))


def source_of(case: Mapping[str, Any], folder: Path) -> Source:
    """Return what a row of a plan names.

    Args:
        case: the row.
        folder: for temporary copies.

    Raises:
        StorageError: it cannot be read now.
    """
    path = local_path(case["path"])
    return _fetched(case, folder) if path is None else _local(case, path)


def is_far(text: str) -> bool:
    """Tell whether each read takes round trips: from object storage, or from a share."""
    path = local_path(text)
    return path is None or is_on_share(path.parent)


def check_root(case: Mapping[str, Any]) -> None:
    """Tell photos that were taken away from a disk that is not mounted: then their root is gone or empty, too.

    Args:
        case: a row of the plan whose file is not there.

    Raises:
        BulkError: the root is gone or empty.
    """
    path = local_path(case["path"])
    if path is None:
        return
    root = path.parents[len(Path(case["relpath"]).parts)]
    with suppress(OSError), os.scandir(root) as entries:
        if next(entries, None) is not None:
            return
    raise BulkError(
        f"No photo of a whole part is there any more, and {printable(root)} is empty or gone. If its disk or share is"
        " not mounted, mount it, and give the same command again; if the photos are gone for good, make a new plan."
    )


def _local(case: Mapping[str, Any], path: Path) -> Source:
    try:
        if path.is_symlink():  # such as a name in a store of contents
            path = Path(os.path.realpath(path))
        identity = Identity.of(path.lstat())
    except FileNotFoundError:
        return GONE
    except OSError as error:
        return Source(None, unreadable(error))
    return Source(Found(path, identity), changed=_difference(case, identity.size, str(identity.mtime_ns)))


def _fetched(case: Mapping[str, Any], folder: Path) -> Source:
    """Copy an object to a file, because decoding a suspect in a process of its own needs one.

    Its name is the same at each try, so that the crash journal knows it again.
    """
    files, place = file_system(case["path"])
    path = folder / f"{case['id']}{Path(place).suffix}"
    try:
        info, data = files.info(place), files.cat_file(place)
    except FileNotFoundError:
        return GONE
    except storage_errors() as error:
        why = " ".join(str(error).split()) or type(error).__name__
        raise StorageError(f"{printable(case['path'])} cannot be read: {why}") from error
    try:
        path.write_bytes(data)
        identity = Identity.of(path.lstat())
    except OSError as error:
        raise StorageError(
            f"no copy of {printable(case['path'])} can be made in {printable(folder)}: {error.strerror}"
        ) from error
    changed = _difference(case, identity.size, stamp_of(info))
    return Source(Found(path, identity), changed=changed, is_copy=True)


def _difference(case: Mapping[str, Any], size: int, stamp: str) -> str:
    if case["size"] is not None and case["size"] != size:
        return f"judged as it is now: it had {case['size']:,} bytes when it was listed, and has {size:,}"
    if case["stamp"] and stamp and case["stamp"] != stamp:
        return "judged as it is now: it was changed after it was listed"
    return ""
