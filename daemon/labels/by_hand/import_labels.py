"""Brings labels into a ledger: first it says what they would change, then it writes all of them or none.

The labels are compared in a temporary table, so that a million of them need little memory, and the ledger is locked for
the writing alone.
"""

import os
import sqlite3
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from daemon.labels.by_hand.classes import Classes
from daemon.labels.by_hand.errors import LabelError
from daemon.labels.by_hand.read_files import Fault, ReadFile
from daemon.labels.by_hand.subject import AT_LARGE
from daemon.ledger.labels.events import How
from daemon.ledger.transaction import Transaction

EXAMPLES = 10
"""How many of each kind are named."""
_TABLE = """
CREATE TEMP TABLE given (
    number INTEGER PRIMARY KEY, sha256 TEXT UNIQUE, said TEXT, place BLOB, name TEXT, shown TEXT, probability REAL,
    model TEXT, founder TEXT, side TEXT, taken REAL, fingerprint BLOB, embedding_id TEXT, embedding BLOB,
    is_disputed INTEGER NOT NULL DEFAULT 0, times INTEGER NOT NULL DEFAULT 1, filed INTEGER
)
"""
_GIVE = (
    "INSERT INTO given (sha256, said, place, name, shown, probability, model, founder, side, taken, fingerprint,"
    f" embedding_id, embedding) VALUES ({', '.join('?' * 13)})"
    " ON CONFLICT (sha256) DO UPDATE SET is_disputed = is_disputed OR said <> excluded.said, times = times + 1"
)
_REPEATED = "SELECT coalesce(sum(times - 1), 0) FROM given WHERE NOT is_disputed"
_NEW = "given LEFT JOIN main.labelled AS known USING (sha256) WHERE NOT is_disputed AND "
_IS_NEW = {False: "known.sha256 IS NULL", True: "known.said IS NOT given.said"}
"""By whether labels in force are replaced."""
_FIND = (
    "UPDATE given SET filed = (SELECT photos.id FROM photos LEFT JOIN places ON places.photo = photos.id"
    f" WHERE photos.sha256 = given.sha256 AND {AT_LARGE} ORDER BY coalesce(is_gone, 0), photos.id DESC LIMIT 1)"
)
_EVENTS = (
    "INSERT INTO labels (at, how, photo, sha256, place, shown, probability, model, said)"
    " SELECT :now, :how, photos.id, found.sha256, CASE WHEN folder IS NULL THEN coalesce(destination, place)"
    " WHEN folder = x'' THEN places.name ELSE CAST(folder || x'2f' || places.name AS BLOB) END,"
    " coalesce(label, shown), coalesce(photos.probability, found.probability), coalesce(photos.model, found.model),"
    " found.said FROM (SELECT given.* FROM {new}) AS found"
    " LEFT JOIN photos ON photos.id = filed LEFT JOIN places ON places.photo = filed ORDER BY number"
)


class Conflict(NamedTuple):
    """A label in force that says otherwise; empty if it was taken back."""

    place: str
    in_force: str
    given: str


@dataclass(slots=True)
class Plan:
    """What an import would change.

    Attributes:
        new: labels that would be recorded.
        classes: how many of them each class gets.
        in_force: labels that are in force already.
        conflicts: other labels in force, or labels that were taken back since.
        examples: some of these.
        disputed: contents with several labels in the source: none of them counts.
        repeated: the same label of the same content once more.
        faults: files that take no label.
        refused: names that cannot be classes, with their files counted.
        unknown: classes of new labels that no model and no label knows.
    """

    new: int = 0
    classes: dict[str, int] = field(default_factory=dict)
    in_force: int = 0
    conflicts: int = 0
    examples: list[Conflict] = field(default_factory=list)
    disputed: int = 0
    repeated: int = 0
    faults: Counter[Fault] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    unknown: list[str] = field(default_factory=list)


def take(connection: sqlite3.Connection, files: Iterable[ReadFile], classes: Classes) -> Plan:
    """Collect labels in a temporary table of the connection; nothing of the ledger is written.

    Args:
        connection: to the ledger, in autocommit mode.
        files: the labels, with the contents that they are about.
        classes: that are known; names are spelled as there.
    """
    plan = Plan()
    connection.execute(_TABLE)
    for given, sha256, fault in files:
        if fault is not None:
            plan.faults[fault] += 1
            continue
        try:
            said = classes.spelled(given.said)
        except LabelError:
            plan.refused[given.said] += 1
            continue
        name = os.fsencode(given.name).decode(errors="replace")
        values = (sha256, said, os.fsencode(given.path or given.name), name, given.shown, given.probability)
        connection.execute(_GIVE, (*values, given.model, *given.features))
    return plan


def compare(connection: sqlite3.Connection, plan: Plan, classes: Classes, *, replaces: bool) -> None:
    """Say in a plan what the labels that were taken would change.

    Args:
        connection: that took them.
        plan: to be completed.
        classes: that are known.
        replaces: whether they count more than labels in force.
    """
    plan.disputed = _count(connection, "given WHERE is_disputed")
    (plan.repeated,) = connection.execute(_REPEATED).fetchone()
    new = f"{_NEW}{_IS_NEW[replaces]}"
    per_class = f"SELECT given.said, count(*) FROM {new} GROUP BY given.said ORDER BY given.said"
    plan.classes = dict(connection.execute(per_class))
    plan.new = sum(plan.classes.values())
    plan.in_force = _count(connection, f"{_NEW}known.said = given.said")
    other = f"{_NEW}known.said <> given.said"
    plan.conflicts = _count(connection, other)
    some = f"SELECT given.place, known.said, given.said FROM {other} ORDER BY number LIMIT {EXAMPLES}"
    plan.examples = [Conflict(os.fsdecode(place), *words) for place, *words in connection.execute(some)]
    plan.unknown = [name for name in plan.classes if not classes.is_known(name)]


def write(connection: sqlite3.Connection, now_s: float, *, replaces: bool) -> int:
    """Record the labels that were taken, in one transaction; returns how many are new.

    Args:
        connection: that took them.
        now_s: wall time.
        replaces: whether they count more than labels in force.
    """
    events = _EVENTS.format(new=f"{_NEW}{_IS_NEW[replaces]}")
    connection.execute(_FIND)  # before the ledger is locked, because it takes as long as the writing
    with Transaction(connection):
        if connection.execute(_HAS_GROUPS).fetchone():
            connection.execute(_WITHOUT_FEATURES)
        (last,) = connection.execute("SELECT coalesce(max(id), 0) FROM labels").fetchone()
        connection.execute(events, {"now": now_s, "how": How.IMPORT.value})
        connection.execute(_WORDS, (last,))
        connection.execute(_PLACES, (last,))
        return _count(connection, f"labels WHERE id > {last}")


_HAS_GROUPS = "SELECT 1 FROM labelled WHERE founder IS NOT NULL LIMIT 1"
_WITHOUT_FEATURES = "UPDATE given SET founder = NULL, side = NULL, embedding_id = NULL, embedding = NULL"
"""Groups from elsewhere could overlap with groups of this ledger: the daemon groups the photos again."""
_WORDS = """
INSERT INTO labelled (sha256, said, event, name, founder, side, taken, fingerprint, embedding_id, embedding)
    SELECT sha256, labels.said, labels.id, name, founder, side, taken, fingerprint, embedding_id, embedding
    FROM labels JOIN given USING (sha256) WHERE labels.id > ? ORDER BY labels.id
    ON CONFLICT DO UPDATE SET said = excluded.said, event = excluded.event, name = excluded.name,
        founder = coalesce(founder, excluded.founder), side = coalesce(side, excluded.side)
"""
_PLACES = """
UPDATE places SET said = found.said FROM (SELECT photo AS row, said FROM labels WHERE id > ?) AS found
    WHERE places.photo = found.row
"""


def _count(connection: sqlite3.Connection, what: str) -> int:
    return int(connection.execute(f"SELECT count(*) FROM {what}").fetchone()[0])
