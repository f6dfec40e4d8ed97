"""The marker file of a root: created atomically, compared, and its leftovers removed after a kill."""

import errno
import json
import os
import re
import stat
import uuid
from contextlib import suppress
from pathlib import Path

from common.errors import PhototriageError
from common.publish import sync_directory
from common.text import printable
from contract import labels
from daemon.files.confined import read_small
from daemon.files.identity import is_on_share
from daemon.files.rename import rename_noreplace

MARKER = labels.MARKER
UNMARKED = ""
"""Recorded in place of an id for an inbox that cannot be written, such as a write-protected card in copy mode."""
_NOT_ALLOWED = (errno.EROFS, errno.EACCES, errno.EPERM)

OUTPUT_AWAY = f"the output has lost its marker {MARKER}: mount it, or restart phototriage if you made a new folder"
OUTPUT_OTHER = (
    f"the output is not the folder that phototriage started with (the id in {MARKER} differs): mount that folder, or "
    "restart phototriage to use this one"
)
STALE_S = 60.0
"""A younger part may belong to another process that is creating its marker now."""
_PART = re.compile(re.escape(MARKER) + r"\.[0-9a-f]{32}\.part")
_BEGINS = b'{"id": "'
_MOST_BYTES = 200


class RootError(PhototriageError):
    """The inbox or the output cannot be used."""


class UnwritableRootError(RootError):
    """A root has no marker, and none can be made because this user may not write there, or nobody may."""


class MountMissingError(RootError):
    """The mount of a root is away, or another mount is in its place."""


def mark(root: Path, role: str) -> str:
    """Return the id in a root's marker file; create the file if it is missing."""
    marker = root / MARKER
    try:
        if not os.path.lexists(marker):
            _make_marker(marker)
        return _id_in(marker)
    except OSError as error:
        kind = UnwritableRootError if error.errno in _NOT_ALLOWED and not os.path.lexists(marker) else RootError
        copy = ", or pass --mode copy to file copies" if role == "inbox" else ""
        raise kind(
            f"The {role} {printable(root)} cannot be written ({error.strerror}), so nothing can be moved. "
            f"Give this user write permission to it{copy}."
        ) from error


def read_marker(root: Path) -> str | None:
    """Return the id in a root's marker file; None if there is none.

    Raises:
        RootError: it cannot be read, or is not a marker.
    """
    marker = root / MARKER
    try:
        return _id_in(marker)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise RootError(
            f"{printable(marker)} cannot be read ({error.strerror}), so phototriage cannot tell whether this is the "
            "right folder. Give this user read permission to it."
        ) from error


def _id_in(marker: Path) -> str:
    try:
        return str(json.loads(read_small(marker))["id"])
    except (ValueError, KeyError, TypeError) as error:
        raise RootError(f"{printable(marker)} is not a marker of phototriage. Move it away and start again.") from error


class OutputMarker:
    """Checks once per batch whether the output still is the folder that was adopted.

    A check costs one `lstat`: the marker is read only if the file has changed since the last check.

    Args:
        output: root of the class folders.
        known: the adopted id; None to adopt the first id that is read.

    Attributes:
        on_share: whether the output lay on a share when its marker was read.
    """

    def __init__(self, output: Path, known: str | None) -> None:
        self._output = output
        self._marker = output / MARKER
        self._known = known
        self._seen: tuple[int, int, int, int] | None = None
        self.on_share = False

    def obstacle(self) -> str:
        """Return why nothing may be filed now, or an empty text: a mount would hide photos in its mount point."""
        try:
            status = self._marker.lstat()
        except FileNotFoundError:
            return OUTPUT_AWAY
        except OSError as error:
            return f"the output cannot be used ({error.strerror})"
        seen = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
        if seen == self._seen:
            return ""
        try:
            found = read_marker(self._output)
        except RootError as error:
            return str(error)
        self._known = self._known or found
        if found is None or found != self._known:
            return OUTPUT_AWAY if found is None else OUTPUT_OTHER
        self._seen, self.on_share = seen, is_on_share(self._output)
        return ""


def _make_marker(marker: Path) -> None:
    """Create a complete marker or none, never over another: a kill must not leave half of a marker."""
    temporary = marker.with_name(f"{MARKER}.{uuid.uuid4().hex}.part")
    try:
        with temporary.open("x", encoding="utf-8") as file:
            json.dump({"id": uuid.uuid4().hex, "what": "phototriage knows this folder by this file"}, file)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):  # another phototriage starts at the same moment
            rename_noreplace(temporary, marker)
    finally:
        temporary.unlink(missing_ok=True)
    sync_directory(marker.parent)


def tidy(root: Path, now_s: float) -> None:
    """Remove what a kill left of a marker or of a trial link; a file that cannot be removed stays.

    Args:
        root: inbox or output.
        now_s: wall time; files younger than `STALE_S`, and files that are not ours by name and content, stay.
    """
    with suppress(OSError, ValueError):
        parts = [entry for entry in os.scandir(root) if _PART.fullmatch(entry.name)]
        for path in (Path(entry.path) for entry in parts if _is_rest(Path(entry.path), now_s)):
            path.unlink(missing_ok=True)


def _is_rest(path: Path, now_s: float) -> bool:
    status = path.lstat()
    if status.st_mtime > now_s - STALE_S:
        return False
    if stat.S_ISLNK(status.st_mode):
        return path.readlink().name == MARKER
    if not stat.S_ISREG(status.st_mode) or status.st_size > _MOST_BYTES:
        return False
    return _BEGINS.startswith(read_small(path)[: len(_BEGINS)])
