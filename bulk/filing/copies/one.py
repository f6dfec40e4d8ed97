"""Copies one photo: fetched from storage, compared with what was judged, put under a free name, and read back."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from itertools import count
from pathlib import Path, PurePosixPath
from typing import Any

from bulk.filing.copies.place import CopyPlace
from bulk.filing.errors import FilingError
from bulk.filing.judged import Judged
from bulk.storage import file_system, local_path
from common.text import printable
from daemon.files.identity import sha256_of
from daemon.files.names import numbered
from daemon.photo import Outcome


class Copied(StrEnum):
    """What was done with a row."""

    COPIED = "copied"
    """A copy is there, and reading it back gives the bytes that were judged."""
    STAYS = "stays"
    """It was not judged to be filed."""
    CHANGED = "changed"
    """The bytes differ from those that were judged."""
    GONE = "gone"
    """It is not there any more."""
    UNREADABLE = "unreadable"
    """It cannot be read."""


def copy_row(row: Judged, place: str, target: CopyPlace, first: int, folder: Path) -> tuple[dict[str, Any], int]:
    """Copy one photo; returns its row of the manifest, and the number that its name got (0 for none).

    Args:
        row: of the results.
        place: path of the copy below the target, if that is free.
        target: where copies go.
        first: the first number that may be free.
        folder: for the bytes of photos that do not lie on this machine.

    Raises:
        FilingError: the target cannot be read or written.
    """
    if row.judgement.outcome is Outcome.LEFT:
        return _line(row, Copied.STAYS, row.judgement.reason), first
    with _local(row, folder) as (source, trouble):
        if source is None:
            return _line(row, *trouble), first
        try:
            size, sha256 = source.stat().st_size, sha256_of(source)
        except FileNotFoundError:
            return _line(row, Copied.GONE), first
        except OSError as error:
            return _line(row, Copied.UNREADABLE, error.strerror or ""), first
        if sha256 != row.sha256:
            return _line(row, Copied.CHANGED), first
        number = _put(place, target, source, (size, sha256), first)
    if number is None:
        return _line(row, Copied.CHANGED), first
    return _line(row, Copied.COPIED, target=target.address(_name(place, number))), number


def _put(place: str, target: CopyPlace, source: Path, facts: tuple[int, str], first: int) -> int | None:
    """Return the number under which the copy is there; None if the file changes under our hands."""
    size, sha256 = facts
    for number in count(first):
        name = _name(place, number)
        there = target.size(name)
        if there is None:
            if not target.put(name, source, sha256):
                if target.size(name) is None:
                    return None
                continue  # somebody took the name
            if target.size(name) != size or target.sha256(name) != sha256:
                raise FilingError(
                    f"{printable(target.address(name))} does not give back the bytes that were written. Remove it, "
                    "look after that storage, and give the same command again."
                )
            return number
        if there == size and target.sha256(name) == sha256:
            return number  # an earlier call copied it
    raise AssertionError  # `count` does not end


@contextmanager
def _local(row: Judged, folder: Path) -> Iterator[tuple[Path | None, tuple[Copied, str]]]:
    """Yield the photo as a file of this machine; None with the reason if there is none."""
    path = local_path(row.path)
    if path is not None:
        yield path, (Copied.GONE, "")
        return
    files, place = file_system(row.path)
    descriptor, name = tempfile.mkstemp(dir=folder)
    os.close(descriptor)
    try:
        try:
            files.get_file(place, name)
        except FileNotFoundError:
            yield None, (Copied.GONE, "")
        except Exception as error:  # each storage has errors of its own
            raise FilingError(
                f"{printable(row.path)} cannot be fetched ({printable(' '.join(str(error).split()))}). What was copied "
                "stays; mend it, and give the same command again."
            ) from error
        else:
            yield Path(name), (Copied.GONE, "")
    finally:
        Path(name).unlink(missing_ok=True)


def _name(place: str, number: int) -> str:
    path = PurePosixPath(place)
    return str(path.with_name(numbered(path.name, number)))


def _line(row: Judged, outcome: Copied, reason: str = "", target: str | None = None) -> dict[str, Any]:
    return {
        "path": row.path, "target": target, "sha256": row.sha256, "label": row.judgement.label,
        "folder": row.judgement.folder, "outcome": outcome.value, "reason": reason, "at": datetime.now(UTC),
    }  # fmt: skip
