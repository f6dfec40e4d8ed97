"""The photo that a label is said about: a row of the ledger, or a file that was never filed here."""

import os
import sqlite3
import stat
from collections.abc import Sequence
from hashlib import file_digest
from pathlib import Path
from typing import IO, Any, NamedTuple

from common.text import printable
from contract.formats import SNIFF_BYTES, sniff
from daemon.labels.by_hand.errors import LabelError
from daemon.labels.store.place_columns import place_in
from daemon.ledger.reading import root_of
from daemon.ledger.schema import TAKEN_BACK

AT_LARGE = (
    "photos.state IN ('filed', 'review', 'failed', 'duplicate') AND photos.part_of IS NULL AND photos.undoes IS NULL"
    f" AND NOT {TAKEN_BACK}"
)
"""SQL condition: the photo was filed, and not taken back."""
_PHOTO = (
    "SELECT photos.id, sha256, photos.destination, folder, name, label, probability, model, coalesce(said, '')"
    f" FROM photos LEFT JOIN places ON places.photo = photos.id WHERE {AT_LARGE} AND "
)
_HERE = "photos.id = (SELECT photo FROM places WHERE folder = ? AND name = ? AND NOT is_gone)"


class Subject(NamedTuple):
    """A photo, as a label's event names it.

    Attributes:
        photo: its row; None if it was never filed here, or was taken back to the inbox.
        sha256: of its content: as it was filed, or as it is now; empty if that was never read.
        place: where it is: below the output, or absolute if it was never filed here.
        shown: class that the model gave; empty if it gave none.
        probability: of that class.
        model: SHA-256 of the model file.
        said: the label of this row that is in force; empty if there is none.
        path: absolute.
    """

    photo: int | None
    sha256: str
    place: str
    shown: str
    probability: float
    model: str
    said: str
    path: Path


class NamedFile(NamedTuple):
    """A file that a person named.

    Attributes:
        path: absolute; a link in the last step is not followed.
        sha256: of its content; empty if no file is there.
        is_photo: whether it is a photo by its first bytes.
    """

    path: Path
    sha256: str
    is_photo: bool


def named_file(file: Path) -> NamedFile:
    """Read a file that a person named; one that is gone may still be the earlier path of a photo.

    Raises:
        LabelError: it cannot be read.
    """
    path = file.parent.resolve() / file.name
    if not os.path.lexists(path):
        return NamedFile(path, "", is_photo=False)
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise LabelError(f"{printable(path)} is no file. Name photos; folders are read by `labels import`.")
        with path.open("rb") as opened:
            return NamedFile(path, file_digest(opened, "sha256").hexdigest(), is_photo=_is_photo(opened))
    except OSError as error:
        raise LabelError(f"{printable(path)} cannot be read ({error.strerror}).") from error


def _is_photo(opened: IO[bytes]) -> bool:
    opened.seek(0)
    return sniff(opened.read(SNIFF_BYTES)) is not None


def subject_of(connection: sqlite3.Connection, named: NamedFile) -> Subject | None:
    """Return the photo that a path names: by its place now, by its content, or by an earlier path.

    Args:
        connection: to the ledger.
        named: the file.

    Returns:
        The photo, perhaps one that was never filed here; None if no file is there, and no photo was.

    Raises:
        LabelError: several photos had this path, or the file is no photo.
    """
    found = known(connection, named)
    if found is not None or not named.sha256:
        return found
    if not named.is_photo:
        raise LabelError(f"{printable(named.path)} is no photo by its content, and was never filed here.")
    return Subject(None, named.sha256, str(named.path), "", 0.0, "", "", named.path)


def known(connection: sqlite3.Connection, named: NamedFile) -> Subject | None:
    """Return the photo that a path names, if the ledger knows it; of a file that is gone also one never filed here."""
    return filed(connection, named) or (None if named.sha256 else _labelled_at(connection, named.path))


def filed(connection: sqlite3.Connection, named: NamedFile) -> Subject | None:
    """Return the filed photo that a path names (`subject_of`); None for any other file."""
    if not named.sha256:
        return _formerly_at(connection, named.path)
    return _at(connection, named.path) or filed_with(connection, named.sha256)


def filed_with(connection: sqlite3.Connection, sha256: str) -> Subject | None:
    """Return the photo of this content that was filed last, and not taken back; rather one that is still there."""
    found = _rows(connection, "sha256 = ? ORDER BY coalesce(is_gone, 0), photos.id DESC LIMIT 1", sha256)
    return found[0] if found else None


def _at(connection: sqlite3.Connection, path: Path) -> Subject | None:
    output = root_of(connection, "output")
    if output is None or not path.is_relative_to(output):
        return None
    folder, name = os.path.split(path.relative_to(output))
    found = _rows(connection, _HERE, os.fsencode(folder), os.fsencode(name))
    return found[0] if found else None


def _formerly_at(connection: sqlite3.Connection, path: Path) -> Subject | None:
    place = os.fsencode(path)
    found = _rows(connection, "(source = ? OR photos.destination = ?) ORDER BY photos.id DESC", place, place)
    if len({one.sha256 for one in found}) > 1:
        named = ", ".join(printable(one.path) for one in found[:5])
        raise LabelError(f"{printable(path)} was the path of several photos. Name one by its path now: {named}.")
    return found[0] if found else None


def _labelled_at(connection: sqlite3.Connection, path: Path) -> Subject | None:
    """Return the photo of which something was said at this path, and that was never filed here."""
    last = "SELECT sha256 FROM labels WHERE place = ? AND photo IS NULL ORDER BY id DESC LIMIT 1"
    row = connection.execute(last, (os.fsencode(path),)).fetchone()
    return None if row is None else Subject(None, row[0], str(path), "", 0.0, "", "", path)


def _rows(connection: sqlite3.Connection, condition: str, *values: str | bytes) -> Sequence[Subject]:
    rows = connection.execute(f"{_PHOTO}{condition}", values).fetchall()
    output = root_of(connection, "output")
    return [_subject(output, row) for row in rows]


def _subject(output: Path | None, row: Sequence[Any]) -> Subject:
    photo, sha256, filed, folder, name, shown, probability, model, said = row
    path = Path(os.fsdecode(filed))
    place = str(path)
    if output is not None and folder is not None:
        place = place_in(folder, name)
        path = output / place
    return Subject(photo, sha256, place, shown, probability, model, said, path)
