"""Rows that move a filed photo to another class: they stand for the photo from then on, until they are undone.

`refiles` names the row of the photo before. That row keeps what the model said then. While the later one is in force,
the earlier one counts as taken back: it is in no list, no count and no look, and what people said about it belongs to
the later row. Undoing the later row brings it back.
"""

import os
import sqlite3
from dataclasses import replace
from pathlib import Path

from daemon.ledger.intent import Intent, intent_of

REFILED = """EXISTS (
    SELECT 1 FROM photos AS newer WHERE newer.refiles = photos.id AND newer.state NOT IN ('intent', 'gone')
    AND NOT EXISTS (SELECT 1 FROM photos AS back WHERE back.undoes = newer.id AND back.state = 'undone')
)"""
"""SQL condition: a later row moved this photo to another class, and is in force."""
ON_ITS_WAY = (
    "EXISTS (SELECT 1 FROM photos AS mover WHERE mover.undoes = photos.id AND mover.state = 'intent'"
    " UNION ALL SELECT 1 FROM photos AS mover WHERE mover.refiles = photos.id AND mover.state = 'intent')"
)
"""SQL condition: `undo` or `refile` is moving this photo now, or was killed while it did."""
_COLUMNS = """
ALTER TABLE photos ADD COLUMN refiles INTEGER;
CREATE INDEX photos_refiles ON photos (refiles) WHERE refiles IS NOT NULL;
CREATE TABLE batches (last INTEGER NOT NULL) STRICT;
INSERT INTO batches SELECT coalesce(max(batch), 0) FROM (SELECT batch FROM photos ORDER BY id DESC LIMIT 1);
ALTER TABLE look ADD COLUMN rules TEXT NOT NULL DEFAULT '{}';
"""
"""`batches` has one row: the highest number of a batch. All rows of one `refile` have one number, although it commits
them some at a time while the daemon commits others. `look.rules` holds the daemon's settings of review as JSON, because
`refile` judges by them too.
"""
_TRIGGERS = """
CREATE TRIGGER refiled AFTER UPDATE OF state ON photos
WHEN new.refiles IS NOT NULL AND new.part_of IS NULL AND old.state = 'intent' AND new.state = 'filed' BEGIN
    DELETE FROM places WHERE photo = new.refiles;
    DELETE FROM sightings WHERE photo = new.refiles;
    UPDATE labels SET photo = new.id WHERE photo = new.refiles;
    UPDATE totals SET photos = photos - 1 WHERE (state, label, review_reason) = (
        SELECT was.state, iif(was.known_as = '', was.label, was.known_as), was.review_reason
        FROM photos AS was WHERE was.id = new.refiles
    );
END;
CREATE TRIGGER refiling_undone AFTER UPDATE OF state ON photos
WHEN new.undoes IS NOT NULL AND new.part_of IS NULL AND old.state = 'intent' AND new.state = 'undone' BEGIN
    INSERT INTO unplaced (photo)
        SELECT was.refiles FROM photos AS was WHERE was.id = new.undoes AND was.refiles IS NOT NULL;
    UPDATE labels SET photo = was.refiles FROM photos AS was
        WHERE was.id = new.undoes AND was.refiles IS NOT NULL AND labels.photo = new.undoes;
    UPDATE totals SET photos = photos + 1 WHERE (state, label, review_reason) = (
        SELECT first.state, iif(first.known_as = '', first.label, first.known_as), first.review_reason
        FROM photos AS was JOIN photos AS first ON first.id = was.refiles WHERE was.id = new.undoes
    );
END;
"""
"""Places, labels and counts belong to the row in force, as soon as it is."""
REFILING = (_COLUMNS, _TRIGGERS)
"""Scripts for daemon/ledger/schema.py."""
_UNDONE = "EXISTS (SELECT 1 FROM photos AS back WHERE back.undoes = photos.id AND back.state = 'undone')"
_NEWER = f"SELECT * FROM photos WHERE refiles = ? AND state = 'filed' AND NOT {_UNDONE}"


def row_in_force(connection: sqlite3.Connection, row: int, was: Intent) -> tuple[int, Intent]:
    """Return the row that stands for a photo now, and its intent with the path that the photo was filed from.

    Args:
        connection: to the ledger.
        row: of the photo when it was filed.
        was: its intent.
    """
    cursor, intent = _by_name(connection), was
    while newer := cursor.execute(_NEWER, (row,)).fetchone():
        row, intent = newer["id"], intent_of(newer)
    return row, replace(intent, source=was.source)


def filed_from(connection: sqlite3.Connection, intent: Intent) -> Path:
    """Return the path in the inbox that a photo or companion was filed from, before all refilings."""
    source, earlier = intent.source, intent.refiles
    while earlier is not None:
        path, earlier = connection.execute("SELECT source, refiles FROM photos WHERE id = ?", (earlier,)).fetchone()
        source = Path(os.fsdecode(path))
    return source


def batches_of_others(connection: sqlite3.Connection, model: str) -> list[tuple[int, int]]:
    """Return the batches in force that other models than this one have refiled, with the number of their photos.

    Args:
        connection: to the ledger.
        model: SHA-256 of a model file.
    """
    in_force = f"refiles IS NOT NULL AND part_of IS NULL AND state = 'filed' AND NOT {REFILED} AND NOT {_UNDONE}"
    query = f"SELECT batch, count(*) FROM photos WHERE {in_force} AND model <> ? GROUP BY batch ORDER BY batch"
    return list(connection.execute(query, (model,)))


def _by_name(connection: sqlite3.Connection) -> sqlite3.Cursor:
    cursor = connection.cursor()
    cursor.row_factory = sqlite3.Row
    return cursor
