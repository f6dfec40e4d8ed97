"""Where a filed photo is now, as the last look or mover saw it, and whether a file is that photo."""

import os
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from daemon.files.identity import Identity
from daemon.ledger.intent import Intent
from daemon.photo import DUPLICATES_FOLDER, FAILED_FOLDER, REVIEW_FOLDER, Outcome

JOIN = (
    "LEFT JOIN places AS place ON place.photo = photos.id LEFT JOIN sightings AS sighting ON sighting.photo = photos.id"
)
"""Adds to the rows of `photos` where each photo is now."""
_OUTPUT = "(SELECT path FROM roots WHERE role = 'output') AS output"
COLUMNS = (
    f"{_OUTPUT}, place.folder AS place_folder, place.name AS place_name, place.inode AS place_inode, "
    "place.size AS place_size, place.mtime_ns AS place_mtime_ns, place.target AS place_target, place.class, "
    "place.filed_as, place.said, place.is_gone, sighting.place AS seen, sighting.inode AS seen_inode, "
    "sighting.size AS seen_size, sighting.mtime_ns AS seen_mtime_ns, sighting.target AS seen_target, sighting.question"
)
"""What `place_of` reads."""
FOLDERS = {Outcome.REVIEW: REVIEW_FOLDER, Outcome.FAILED: FAILED_FOLDER, Outcome.DUPLICATE: DUPLICATES_FOLDER}
"""Folders of photos that were filed under no class."""
_WHEN = " ".join(f"WHEN '{state}' THEN '{name}'" for state, name in FOLDERS.items())
FOLDER = f"coalesce(place.class, CASE state {_WHEN} ELSE iif(known_as = '', label, known_as) END)"
"""SQL: the class whose folder a photo lies in now, or the folder with an underscore; needs `JOIN`."""
_WHOLE = 1 << 64  # SQLite's integers are signed, inode numbers are not


@dataclass(frozen=True, slots=True)
class Place:
    """Where a photo is now.

    Attributes:
        path: absolute; the last one if it is gone.
        folder: the class that the layout names there, or a folder with an underscore; empty for neither.
        inode: of the file that was seen there last.
        size: of that file, in bytes.
        mtime_ns: when that file was changed last.
        target: what it names if it is a symbolic link; empty for a regular file.
        filed_as: as `folder`, where phototriage put the photo last.
        said: the label in force; empty if there is none.
        is_gone: whether the last look did not find it.
        waits: whether it was seen at `path`, and a second look, or the answer of a question, has to tell whether that
            is a label; until then `folder` is the one before.
        question: its number, if it waits for an answer.
    """

    path: Path
    folder: str
    inode: int
    size: int
    mtime_ns: int
    target: str
    filed_as: str
    said: str
    is_gone: bool
    waits: bool = False
    question: int | None = None

    def shows(self, found: Identity) -> bool:
        """Tell whether a file is the very one that was seen here last, edited or not."""
        return (self.inode, self.size, self.mtime_ns) == found[1:]


def place_of(row: sqlite3.Row) -> Place | None:
    """Return the place in a row with `COLUMNS`; None for a photo that still lies where it was filed."""
    if row["place_name"] is None or row["output"] is None:
        return None
    waits = row["seen"] is not None
    seen = "seen" if waits else "place"
    below = row["seen"] if waits else row["place_folder"] + b"/" + row["place_name"]
    return Place(
        path=Path(os.fsdecode(row["output"] + b"/" + below)),
        folder=row["class"],
        inode=row[f"{seen}_inode"] % _WHOLE,
        size=row[f"{seen}_size"],
        mtime_ns=row[f"{seen}_mtime_ns"],
        target=os.fsdecode(row[f"{seen}_target"]),
        filed_as=row["filed_as"],
        said=row["said"],
        is_gone=bool(row["is_gone"]) and not waits,
        waits=waits,
        question=row["question"],
    )


def at_hand(*paths: Path) -> Path:
    """Return the first of these paths at which something lies, or else the first.

    A look may be old: its place is asked first, then the one where a photo was filed.
    """
    return next((path for path in paths if os.path.lexists(path)), paths[0])


def filed_folder(intent: Intent) -> str:
    """Return the class, or the folder with an underscore, that an intent files a photo under."""
    return FOLDERS.get(intent.becomes, intent.known_as or intent.label)


def is_photo_of(was: Intent, found: Identity | None, sha256: Callable[[], str]) -> bool:
    """Tell whether a file is the one that was filed, unedited, wherever it lies.

    Its content decides. A file whose content was never read, such as a companion, or cannot be read now is known by its
    size and time.

    Args:
        was: how it was filed.
        found: identity of the file; None if there is none.
        sha256: returns the hash of its content, or an empty text if it cannot be read; called only if it matters.
    """
    if found is None or found.size != was.identity.size:
        return False
    content = sha256() if was.sha256 else ""
    return content == was.sha256 if content else found.mtime_ns == was.identity.mtime_ns


def paths_of_content(connection: sqlite3.Connection, sha256: str) -> list[Path]:
    """Return where photos of this content may lie: of each its place now, then where it was filed; oldest first."""
    cursor = connection.cursor()
    cursor.row_factory = sqlite3.Row
    same = "photos.sha256 = ? AND part_of IS NULL AND undoes IS NULL AND state IN ('filed', 'review')"
    paths: dict[Path, None] = {}
    for row in cursor.execute(f"SELECT destination, {COLUMNS} FROM photos {JOIN} WHERE {same} ORDER BY id", (sha256,)):
        place = place_of(row)
        paths |= {place.path: None} if place is not None else {}
        paths[Path(os.fsdecode(row["destination"]))] = None
    return list(paths)
