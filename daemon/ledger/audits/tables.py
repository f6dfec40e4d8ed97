"""Tables of audits; daemon/ledger/schema.py applies them."""

AUDITS = """
CREATE TABLE audits (
    token TEXT PRIMARY KEY,
    at REAL NOT NULL,
    photo INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    model TEXT NOT NULL,
    class TEXT NOT NULL,
    stratum TEXT NOT NULL,
    is_counted INTEGER NOT NULL,
    said TEXT,
    said_at REAL
) STRICT, WITHOUT ROWID;
CREATE INDEX audits_model ON audits (model);
CREATE INDEX audits_content ON audits (sha256);
CREATE TABLE audit_draws (model TEXT PRIMARY KEY, at REAL NOT NULL, since REAL NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE audit_strata (
    model TEXT NOT NULL,
    stratum TEXT NOT NULL,
    photos INTEGER NOT NULL,
    probability REAL NOT NULL,
    PRIMARY KEY (model, stratum)
) STRICT, WITHOUT ROWID;
"""
"""What was drawn of each model's filed photos, and what people answered. Answers are no labels.

`audits` has one row for each content that was ever drawn: its `token` is its random number among the photos of the
model, `class` the model's answer, `is_counted` whether the last draw still holds it, and `said` the class that a person
saw: NULL until it is asked, empty if the question was skipped. `audit_draws` is the last draw of each model: when, and
since when the photos were filed, 0 for ever. `audit_strata` holds its weights: how many contents each stratum had then,
and the sum of the probabilities that the model gave them. A stratum is a class, or all of them under an empty name.
"""
