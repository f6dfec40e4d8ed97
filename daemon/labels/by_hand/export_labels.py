"""What an export says of each labelled content: enough to bring the labels into another ledger."""

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from daemon.files.identity import Identity, photo_id
from daemon.labels.by_hand.features import Features
from daemon.labels.by_hand.subject import AT_LARGE
from daemon.labels.store.place_columns import place_in
from daemon.ledger.reader import PAGE, LedgerReader
from daemon.ledger.reading import root_of
from daemon.process.clock import local

_LABELS = (
    "SELECT event, at, how, labels.photo, labels.sha256, place, shown, labels.probability, labels.model, labelled.said,"
    f" labelled.name, {', '.join(Features._fields)}, destination, device, photos.inode, photos.size, photos.mtime_ns,"
    f" folder, places.name AS file, coalesce(is_gone, 0) AS is_gone, coalesce({AT_LARGE}, 0) AS is_at_large"
    " FROM labels JOIN labelled ON labelled.sha256 = labels.sha256 AND event = labels.id"
    " LEFT JOIN photos ON photos.id = labels.photo LEFT JOIN places ON places.photo = labels.photo"
    " WHERE labelled.said <> '' AND labels.id > ? ORDER BY labels.id LIMIT ?"
)
_UNREAD = "SELECT count(*) FROM places JOIN photos ON photos.id = photo WHERE said <> '' AND sha256 = ''"


def exported(reader: LedgerReader) -> Iterator[dict[str, Any]]:
    """Yield one object for each content with a label in force, oldest first, a page at a time.

    Args:
        reader: of the ledger.
    """
    after = 0
    while True:

        def _page(connection: sqlite3.Connection, after: int = after) -> list[tuple[int, dict[str, Any]]]:
            output = root_of(connection, "output")
            return [(row[0], _facts(output, row)) for row in connection.execute(_LABELS, (after, PAGE))]

        found = reader.ask(_page)
        yield from (facts for _, facts in found)
        if len(found) < PAGE:
            return
        after = found[-1][0]


def unread(connection: sqlite3.Connection) -> int:
    """Return how many labelled photos have no hash, because they were too large to be read."""
    return int(connection.execute(_UNREAD).fetchone()[0])


def _facts(output: Path | None, row: sqlite3.Row) -> dict[str, Any]:
    is_filed = row["photo"] is not None
    of = Identity(int(row["device"]), int(row["inode"]), row["size"], row["mtime_ns"]) if is_filed else None
    path = _path_of(output, row) if is_filed else Path(os.fsdecode(row["place"]))
    return {
        "sha256": row["sha256"],
        "said": row["said"],
        "path": None if path is None else str(path),
        "name": row["name"],
        "at": local(row["at"]).isoformat(timespec="milliseconds"),
        "how": row["how"],
        "shown": row["shown"],
        "probability": row["probability"],
        "model": row["model"],
        "photo": None if of is None else photo_id(of),
        **Features(*(row[name] for name in Features._fields)).facts(),
    }


def _path_of(output: Path | None, row: sqlite3.Row) -> Path | None:
    if row["is_gone"] or not row["is_at_large"]:
        return None
    if output is not None and row["folder"] is not None:
        return output / place_in(row["folder"], row["file"])
    return Path(os.fsdecode(row["destination"]))
