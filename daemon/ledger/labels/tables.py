"""Tables of the places of filed photos and of what people said; daemon/ledger/schema.py applies them in order."""

PLACES = """
CREATE TABLE places (
    photo INTEGER PRIMARY KEY,
    folder BLOB NOT NULL,
    name BLOB NOT NULL,
    inode INTEGER NOT NULL,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    target BLOB NOT NULL,
    class TEXT NOT NULL,
    filed_as TEXT NOT NULL,
    said TEXT NOT NULL,
    filed_size INTEGER NOT NULL,
    is_gone INTEGER NOT NULL
) STRICT;
CREATE INDEX places_folder ON places (folder, name) WHERE NOT is_gone;
CREATE INDEX places_gone_size ON places (size) WHERE is_gone;
CREATE INDEX places_gone_filed_size ON places (filed_size) WHERE is_gone;
CREATE INDEX places_gone_links ON places (photo) WHERE is_gone AND target <> x'';
CREATE TABLE unplaced (number INTEGER PRIMARY KEY AUTOINCREMENT, photo INTEGER NOT NULL) STRICT;
INSERT INTO unplaced (photo) SELECT id FROM photos WHERE part_of IS NULL AND undoes IS NULL
    AND state IN ('filed', 'review', 'failed', 'duplicate') AND NOT EXISTS (
        SELECT 1 FROM photos AS later WHERE later.undoes = photos.id AND later.state IN ('undone', 'retried')
    );
CREATE TRIGGER placed AFTER UPDATE OF state ON photos
WHEN new.part_of IS NULL AND new.undoes IS NULL AND old.state = 'intent'
    AND new.state IN ('filed', 'review', 'failed', 'duplicate') BEGIN
    INSERT INTO unplaced (photo) VALUES (new.id);
END;
CREATE TRIGGER displaced AFTER UPDATE OF state ON photos
WHEN new.part_of IS NULL AND new.state IN ('undone', 'retried', 'gone') BEGIN
    DELETE FROM places WHERE photo = coalesce(new.undoes, new.id);
    DELETE FROM sightings WHERE photo = coalesce(new.undoes, new.id);
END;
CREATE TABLE sightings (
    photo INTEGER PRIMARY KEY,
    place BLOB NOT NULL,
    inode INTEGER NOT NULL,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    target BLOB NOT NULL,
    at REAL NOT NULL,
    sha256 TEXT NOT NULL,
    question INTEGER
) STRICT;
CREATE TABLE questions (
    id INTEGER PRIMARY KEY,
    at REAL NOT NULL,
    why TEXT NOT NULL,
    left TEXT NOT NULL,
    entered TEXT NOT NULL,
    photos INTEGER NOT NULL,
    answer TEXT NOT NULL DEFAULT '',
    answered_at REAL
) STRICT;
CREATE TABLE look (
    number INTEGER NOT NULL,
    at REAL NOT NULL,
    was_interrupted INTEGER NOT NULL,
    layout TEXT NOT NULL,
    classes TEXT NOT NULL,
    words INTEGER NOT NULL
) STRICT;
INSERT INTO look VALUES (0, 0.0, 0, '', '[]', 0);
"""
"""Where each filed photo is now, kept by the look (daemon/labels/) and by every mover.

`places`: `folder` and `name` are below the output; `inode`, `size`, `mtime_ns` and `target` are those of the file that
was seen there last; `class` is what the layout names there, `filed_as` what it named where phototriage put the photo
last; `said` is the label in force, or empty. `unplaced` holds the photos that were filed since the last look: a
trigger's small row costs filing less than their rows in `places` would. `sightings` are photos that were seen away from
their places and wait for a second look, or for the answer of a question. `look` has one row: the last look that wrote
something, the layout and the classes of the daemon's model as JSON, and a number that counts changes of `labelled`.
"""

LABELS = """
CREATE TABLE labels (
    id INTEGER PRIMARY KEY,
    at REAL NOT NULL,
    how TEXT NOT NULL,
    photo INTEGER,
    sha256 TEXT NOT NULL,
    place BLOB NOT NULL,
    shown TEXT NOT NULL,
    probability REAL NOT NULL,
    model TEXT NOT NULL,
    said TEXT NOT NULL
) STRICT;
CREATE INDEX labels_photo ON labels (photo);
CREATE INDEX labels_content ON labels (sha256);
CREATE TABLE labelled (
    sha256 TEXT PRIMARY KEY,
    said TEXT NOT NULL,
    event INTEGER NOT NULL,
    name TEXT NOT NULL,
    founder TEXT,
    side TEXT,
    taken REAL,
    fingerprint BLOB,
    embedding_id TEXT,
    embedding BLOB,
    tried TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE TRIGGER word_added AFTER INSERT ON labelled BEGIN UPDATE look SET words = words + 1; END;
CREATE TRIGGER word_changed AFTER UPDATE ON labelled BEGIN UPDATE look SET words = words + 1; END;
CREATE TRIGGER word_removed AFTER DELETE ON labelled BEGIN UPDATE look SET words = words + 1; END;
"""
"""What people said.

`labels` has one row for each event: how (a move, a command, ...), the photo's row if it was filed here, where it lay,
what the model had said (`shown`), and what was said; empty for a label that was taken back. Who said it is not known.
`labelled` has one row for each content that was ever labelled: the word in force, its last event, and what finds the
photo and its near-duplicates again. `founder` is the content that founds its group of near-duplicates, `side` the use
of the group: `learn`, `held out`, or `neither` where it bridges both. `tried` is the embedding id whose features
could not be made.
"""

CLASS_FOLDERS = """
CREATE TABLE class_folders (class TEXT PRIMARY KEY, folder TEXT NOT NULL) STRICT, WITHOUT ROWID;
"""
"""The folder of each class whose folder a person renamed: the model calls it by the old name."""

FILED_BY = """
CREATE TABLE filed_by (model TEXT PRIMARY KEY, photos INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO filed_by SELECT model, count(*) FROM photos
    WHERE state = 'filed' AND part_of IS NULL AND undoes IS NULL AND model <> '' GROUP BY model;
CREATE TRIGGER filed_by_model AFTER UPDATE OF state ON photos
WHEN new.state = 'filed' AND old.state = 'intent' AND new.part_of IS NULL AND new.model <> '' BEGIN
    INSERT INTO filed_by VALUES (new.model, 1) ON CONFLICT DO UPDATE SET photos = photos + 1;
END;
"""
"""How many photos each model has filed, so that corrections can be counted per thousand. A trigger keeps the counts."""
