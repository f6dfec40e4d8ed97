"""Which names are listed: photos by their name, outside of what the daemon leaves alone as well."""

import os
from collections.abc import Container
from pathlib import Path

from contract.formats import has_photo_name
from daemon.files.marker import MARKER
from daemon.intake.names.junk import CLOSED_BY, why_left_alone, why_not_entered
from daemon.photo import DUPLICATES_FOLDER, FAILED_FOLDER, REVIEW_FOLDER

_OURS = frozenset((FAILED_FOLDER, REVIEW_FOLDER, DUPLICATES_FOLDER))


def is_photo(name: bytes) -> bool:
    """Return whether a file of this name is listed: a photo's extension, not hidden and nobody's thumbnail."""
    text = os.fsdecode(name)
    return has_photo_name(Path(text)) and not why_left_alone(text)


def is_entered(name: bytes) -> bool:
    """Return whether a folder of this name is listed: not hidden, no other program's, and not `_failed` or its like."""
    text = os.fsdecode(name)
    return text not in _OURS and not why_not_entered(text)


def is_closed(names: Container[bytes]) -> bool:
    """Return whether a folder below a root is left out because of a file in it, such as `.nomedia` or a marker.

    A marker says that the folder is an inbox or an output of phototriage, which is a root of its own.
    """
    return any(name.encode() in names for name in (*CLOSED_BY, MARKER))
