"""The ledger's tables: the changes of each version, in order. Append new changes; never edit an old one."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from common.text import printable
from daemon.ledger.audits.tables import AUDITS
from daemon.ledger.errors import LedgerError
from daemon.ledger.labels.tables import CLASS_FOLDERS, FILED_BY, LABELS, PLACES
from daemon.ledger.refiles import REFILED, REFILING
from daemon.ledger.transaction import Transaction

MIGRATIONS = (
    """
    CREATE TABLE roots (role TEXT PRIMARY KEY, path BLOB NOT NULL, marker TEXT NOT NULL, mount BLOB NOT NULL) STRICT;
    CREATE TABLE photos (
        id INTEGER PRIMARY KEY,
        batch INTEGER NOT NULL,
        state TEXT NOT NULL,
        becomes TEXT NOT NULL,
        intended_at REAL NOT NULL,
        concluded_at REAL,
        source BLOB NOT NULL,
        destination BLOB NOT NULL,
        device TEXT NOT NULL,
        inode TEXT NOT NULL,
        size INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,
        sha256 TEXT NOT NULL,
        label TEXT NOT NULL,
        probability REAL NOT NULL,
        top TEXT NOT NULL,
        threshold REAL NOT NULL,
        reason TEXT NOT NULL,
        model TEXT NOT NULL,
        provider TEXT NOT NULL,
        times_ms TEXT NOT NULL
    ) STRICT;
    CREATE INDEX photos_open ON photos (id) WHERE state = 'intent';
    """,
    # mode: move, copy, hardlink or symlink. part_of: row of the photo that a companion belongs to. undoes: row of the
    # photo that was taken back. held: path in the inbox at which the file is left alone, because it was filed as a copy
    # or link, or taken back. In mode `move` few rows are held, so the index on `held` costs filing nothing. An index on
    # destinations would double the ledger's growth, and only queries would use it.
    """
    ALTER TABLE photos ADD COLUMN mode TEXT NOT NULL DEFAULT 'move';
    ALTER TABLE photos ADD COLUMN part_of INTEGER;
    ALTER TABLE photos ADD COLUMN undoes INTEGER;
    ALTER TABLE photos ADD COLUMN held BLOB;
    CREATE INDEX photos_content ON photos (sha256);
    CREATE INDEX photos_source ON photos (source);
    CREATE INDEX photos_part_of ON photos (part_of) WHERE part_of IS NOT NULL;
    CREATE INDEX photos_undoes ON photos (undoes) WHERE undoes IS NOT NULL;
    CREATE INDEX photos_held_inode ON photos (inode) WHERE held IS NOT NULL;
    CREATE INDEX photos_held_path ON photos (held) WHERE held IS NOT NULL;
    """,
    # One row for each model that served or was tried; daemon/models/history.py says what the columns hold.
    """
    CREATE TABLE models (
        id INTEGER PRIMARY KEY,
        at REAL NOT NULL,
        file BLOB NOT NULL,
        what TEXT NOT NULL,
        sha256 TEXT NOT NULL,
        labels TEXT NOT NULL,
        reason TEXT NOT NULL,
        was_before BLOB NOT NULL,
        over TEXT NOT NULL,
        request TEXT NOT NULL
    ) STRICT;
    """,
    # by_rename: the row was open when the ledger was migrated to this version, so its copy was published by renaming
    # its hidden name. Later copies keep that name until the outcome is written, as proof that they were published.
    # ctime_ns, btime_ns: last inode change and birth of a held file; its content is compared again only after a new
    # inode change. mount: the mount point inside the inbox that the file lay on.
    """
    ALTER TABLE photos ADD COLUMN by_rename INTEGER;
    ALTER TABLE photos ADD COLUMN ctime_ns INTEGER;
    ALTER TABLE photos ADD COLUMN btime_ns INTEGER;
    ALTER TABLE photos ADD COLUMN mount BLOB;
    UPDATE photos SET by_rename = 1 WHERE state = 'intent';
    """,
    # Ids of all folders ever adopted as inbox or output: cards that take turns as the inbox are recognized.
    """
    CREATE TABLE markers (role TEXT NOT NULL, marker TEXT NOT NULL, PRIMARY KEY (role, marker)) STRICT;
    INSERT INTO markers SELECT role, marker FROM roots;
    """,
    # One row for each original that waits under a hidden name; daemon/ledger/leaving.py says what the columns hold.
    """
    CREATE TABLE leaving (
        photo INTEGER PRIMARY KEY,
        due_at REAL NOT NULL,
        looks INTEGER NOT NULL,
        copy_device TEXT NOT NULL,
        copy_inode TEXT NOT NULL,
        changed_ns INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX leaving_due ON leaving (due_at);
    """,
    # folder_inode: inode of the folder of such an original; NULL if an earlier version wrote the row.
    """
    ALTER TABLE leaving ADD COLUMN folder_inode TEXT;
    """,
    # How many photos have which state and class now, without those that were taken back. Triggers keep the counts, also
    # for what `undo` does in another process; counting the rows instead takes a second for a million of them.
    """
    CREATE TABLE totals (
        state TEXT NOT NULL, label TEXT NOT NULL, photos INTEGER NOT NULL, PRIMARY KEY (state, label)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO totals SELECT state, label, count(*) FROM photos WHERE part_of IS NULL AND state <> 'intent'
        AND (undoes IS NOT NULL OR NOT EXISTS (
            SELECT 1 FROM photos AS later WHERE later.undoes = photos.id AND later.state IN ('undone', 'retried')
        )) GROUP BY state, label;
    CREATE TRIGGER totals_concluded AFTER UPDATE OF state ON photos
    WHEN new.part_of IS NULL AND new.state <> old.state BEGIN
        UPDATE totals SET photos = photos - 1 WHERE state = old.state AND label = old.label
            AND NOT EXISTS (
                SELECT 1 FROM photos AS later WHERE later.undoes = new.id AND later.state IN ('undone', 'retried')
            );
        UPDATE totals SET photos = photos - 1
            WHERE new.state IN ('undone', 'retried')
            AND (state, label) = (SELECT was.state, was.label FROM photos AS was WHERE was.id = new.undoes);
        INSERT INTO totals VALUES (new.state, new.label, 1) ON CONFLICT DO UPDATE SET photos = photos + 1;
    END;
    """,
    # replaces: row of the sidecar whose place a newer one took. kept: the hidden name that the older one gets, until
    # the outcome is written and its own row has that name as its destination.
    """
    ALTER TABLE photos ADD COLUMN replaces INTEGER;
    ALTER TABLE photos ADD COLUMN kept BLOB;
    CREATE INDEX photos_kept ON photos (id) WHERE kept IS NOT NULL;
    """,
    # Companions without a photo that were reported.
    """
    CREATE TABLE lonely (path BLOB PRIMARY KEY, inode TEXT NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL)
    STRICT;
    """,
    # familiarity, nearest: how like the nearest class the photo is, and that class; NULL if the model did not tell.
    # familiarity_limit: below it the photo was unfamiliar; NULL if that was not asked. review_reason: empty unless the
    # photo went to review; earlier versions knew one reason.
    """
    ALTER TABLE photos ADD COLUMN familiarity REAL;
    ALTER TABLE photos ADD COLUMN nearest TEXT;
    ALTER TABLE photos ADD COLUMN familiarity_limit REAL;
    ALTER TABLE photos ADD COLUMN review_reason TEXT NOT NULL DEFAULT '';
    UPDATE photos SET review_reason = 'unsure'
        WHERE becomes = 'review' AND state IN ('review', 'intent') AND part_of IS NULL;
    """,
    # The counts tell the reasons of reviews apart.
    """
    DROP TRIGGER totals_concluded;
    ALTER TABLE totals RENAME TO totals_before;
    CREATE TABLE totals (
        state TEXT NOT NULL, label TEXT NOT NULL, review_reason TEXT NOT NULL, photos INTEGER NOT NULL,
        PRIMARY KEY (state, label, review_reason)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO totals SELECT state, label, iif(state = 'review', 'unsure', ''), photos FROM totals_before;
    DROP TABLE totals_before;
    CREATE TRIGGER totals_concluded AFTER UPDATE OF state ON photos
    WHEN new.part_of IS NULL AND new.state <> old.state BEGIN
        UPDATE totals SET photos = photos - 1
            WHERE state = old.state AND label = old.label AND review_reason = old.review_reason
            AND NOT EXISTS (
                SELECT 1 FROM photos AS later WHERE later.undoes = new.id AND later.state IN ('undone', 'retried')
            );
        UPDATE totals SET photos = photos - 1
            WHERE new.state IN ('undone', 'retried')
            AND (state, label, review_reason) = (
                SELECT was.state, was.label, was.review_reason FROM photos AS was WHERE was.id = new.undoes
            );
        INSERT INTO totals VALUES (new.state, new.label, new.review_reason, 1)
            ON CONFLICT DO UPDATE SET photos = photos + 1;
    END;
    """,
    # mover: the kind of process that writes the row and resolves it after a kill (daemon/ledger/movers.py).
    """
    ALTER TABLE photos ADD COLUMN mover TEXT NOT NULL DEFAULT 'daemon';
    UPDATE photos SET mover = 'undo' WHERE undoes IS NOT NULL;
    """,
    PLACES,
    LABELS,
    # known_as: what a person had said of the same or nearly the same photo, which was filed under that; else empty.
    "ALTER TABLE photos ADD COLUMN known_as TEXT NOT NULL DEFAULT '';",
    # Photos that were filed under what a person had said are counted under that.
    """
    DROP TRIGGER totals_concluded;
    CREATE TRIGGER totals_concluded AFTER UPDATE OF state ON photos
    WHEN new.part_of IS NULL AND new.state <> old.state BEGIN
        UPDATE totals SET photos = photos - 1
            WHERE state = old.state AND label = iif(old.known_as = '', old.label, old.known_as)
            AND review_reason = old.review_reason
            AND NOT EXISTS (
                SELECT 1 FROM photos AS later WHERE later.undoes = new.id AND later.state IN ('undone', 'retried')
            );
        UPDATE totals SET photos = photos - 1
            WHERE new.state IN ('undone', 'retried')
            AND (state, label, review_reason) = (
                SELECT was.state, iif(was.known_as = '', was.label, was.known_as), was.review_reason
                FROM photos AS was WHERE was.id = new.undoes
            );
        INSERT INTO totals VALUES (new.state, iif(new.known_as = '', new.label, new.known_as), new.review_reason, 1)
            ON CONFLICT DO UPDATE SET photos = photos + 1;
    END;
    """,
    FILED_BY,
    AUDITS,
    *REFILING,
    CLASS_FOLDERS,
)
"""Scripts; `PRAGMA user_version` counts those that were applied to a ledger."""

UNDONE = """EXISTS (
    SELECT 1 FROM photos AS later WHERE later.undoes = photos.id AND later.state IN ('undone', 'retried')
)"""
"""SQL condition: a later row undid this one."""
TAKEN_BACK = f"({UNDONE} OR {REFILED})"
"""SQL condition: a later row says where this photo is: it undid this one, or moved the photo to another class."""


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring a ledger up to this version, also while another process does the same.

    Raises:
        LedgerError: it was written by a newer version.
    """
    while (version := _version(connection)) < len(MIGRATIONS):
        with Transaction(connection):
            # Another process may have applied it while this one waited for the transaction.
            if _version(connection) == version:
                for statement in _statements(MIGRATIONS[version]):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {version + 1}")
    if version > len(MIGRATIONS):
        raise LedgerError(f"The ledger {printable(path)} was written by a newer phototriage. Update this one.")


def _statements(script: str) -> Iterator[str]:
    """Yield the statements of a script; `executescript` would commit before it begins."""
    statement = ""
    for piece in script.split(";"):
        statement += f"{piece};"
        if sqlite3.complete_statement(statement):  # a trigger holds several
            yield statement
            statement = ""


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)
