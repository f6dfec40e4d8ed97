"""All rows of one photo, found by a path, by its content, by its id in the log, by its inode or by its name; and what
people said about it.
"""

import os
import sqlite3
from collections.abc import Mapping
from pathlib import Path

from daemon.files.identity import Identity, id_of_words
from daemon.ledger.intent import intent_of
from daemon.ledger.labels.events import LabelEvent, events
from daemon.ledger.queries import RECORDS, Record, record_of
from daemon.ledger.reading import root_of

_NAMED = (
    "source = :path OR destination = :path"
    " OR id IN (SELECT photo FROM places WHERE folder = :folder AND name = :name)"
    " OR id IN (SELECT photo FROM sightings WHERE place = :below UNION SELECT photo FROM labels WHERE place = :below)"
)


def about(connection: sqlite3.Connection, path: Path, sha256: str) -> list[Record]:
    """Return all rows of a photo, oldest first: those that name this path, or with this content.

    Args:
        connection: to the ledger.
        path: present or past path, absolute: where it was filed from or to, where it is now, or where it was labelled.
        sha256: of the file that lies there now, or empty.
    """
    output = root_of(connection, "output")
    below = path.relative_to(output) if output is not None and path.is_relative_to(output) else None
    folder = None if below is None else os.fsencode(below.parent) if below.parent != Path() else b""
    values = {
        "path": os.fsencode(path), "below": None if below is None else os.fsencode(below), "folder": folder,
        "name": os.fsencode(path.name), "sha256": sha256,
    }  # fmt: skip
    return _and_the_same_content(connection, _NAMED, values)


def of_id(connection: sqlite3.Connection, wanted: str) -> list[Record]:
    """Return all rows of a photo, oldest first: with this id, or with the same content.

    No row stores its id, so ids are computed, youngest row first, until one is the wanted. A log mostly names young
    photos, which are found at once; the oldest of a million takes a second. An index would be quicker, but each photo
    would pay for it with a page on the disk.
    """
    connection.create_function("photo_id", 1, id_of_words, deterministic=True)
    words = "device || ':' || inode || ':' || size || ':' || mtime_ns"
    youngest = f"SELECT * FROM photos WHERE photo_id({words}) = ? ORDER BY id DESC LIMIT 1"
    row = connection.execute(youngest, (wanted,)).fetchone()
    if row is None:
        return []
    if not row["sha256"]:
        return of_unread(connection, intent_of(row).identity)
    return _and_the_same_content(connection, "id = :id", {"id": row["id"], "sha256": ""})


def photo_of(connection: sqlite3.Connection, companion: Record) -> Path | None:
    """Return where the photo is now that a companion belongs to; None for a photo."""
    row = companion.intent.part_of
    if row is None and companion.intent.undoes is not None:
        (row,) = connection.execute("SELECT part_of FROM photos WHERE id = ?", (companion.intent.undoes,)).fetchone()
    found = connection.execute(f"{RECORDS} WHERE id = ?", (row,)).fetchone()
    return record_of(found).path if found else None


def events_of(connection: sqlite3.Connection, record: Record) -> list[LabelEvent]:
    """Return what people said about the photo of a row, or about its content elsewhere, oldest first."""
    if record.intent.part_of is not None or record.intent.undoes is not None:
        return []
    own = "photo = ? OR (photo IS NULL AND sha256 = ? AND sha256 <> '')"
    return list(events(connection, own, record.row, record.intent.sha256))


def of_unread(connection: sqlite3.Connection, identity: Identity) -> list[Record]:
    """Return the rows of a file whose content was never hashed (a companion, a file too large), oldest first.

    Such a file is known by inode, size and time, wherever it lies by now.
    """
    _, inode, size, mtime_ns = identity
    same = "photos.sha256 = '' AND photos.inode = ? AND photos.size = ? AND photos.mtime_ns = ?"
    rows = connection.execute(f"{RECORDS} WHERE {same} ORDER BY id", (str(inode), size, mtime_ns))
    return [record_of(row) for row in rows]


def of_name(connection: sqlite3.Connection, name: str) -> list[Record]:
    """Return the newest row of a file of this name, in whatever folder; empty if there is none.

    No index holds names, so all rows are read if there is none: this takes seconds for a million rows.
    """
    ending = b"/" + os.fsencode(name)
    named = "substr({0}, -{1}) = :ending".format
    condition = f"({named('source', len(ending))} OR {named('destination', len(ending))} OR place.name = :name)"
    values = {"ending": ending, "name": os.fsencode(name)}
    rows = connection.execute(f"{RECORDS} WHERE {condition} ORDER BY id DESC LIMIT 1", values)
    return [record_of(row) for row in rows]


def _and_the_same_content(
    connection: sqlite3.Connection, condition: str, values: Mapping[str, str | bytes | int | None]
) -> list[Record]:
    """Return the rows that a condition selects, and those of the same content or of the content `:sha256`."""
    rows = connection.execute(
        f"WITH named AS MATERIALIZED (SELECT id, sha256 FROM photos WHERE {condition}) {RECORDS} "
        "WHERE id IN (SELECT id FROM named) "
        "OR (photos.sha256 IN (SELECT sha256 FROM named UNION SELECT :sha256) AND photos.sha256 != '') ORDER BY id",
        values,
    )
    return [record_of(row) for row in rows]
