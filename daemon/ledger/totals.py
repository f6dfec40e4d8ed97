"""How many photos a ledger counts in all, and today: read in an instant, however many rows there are."""

import sqlite3
from collections import Counter
from dataclasses import dataclass, field

from daemon.ledger import schema
from daemon.photo import Outcome


@dataclass(frozen=True, slots=True)
class Totals:
    """What a ledger counts.

    Attributes:
        filed: photos filed under a class and not taken back.
        today: how many of them were filed today.
        classes: photos filed, by class.
        outcomes: photos by outcome; one that was taken back counts as `undone` or `retried` alone.
        reviews: photos in review, by reason.
        held: photos that `undo` took back and that are left alone in the inbox since.
        last_filed_at_s: when a photo was filed last, under a class or for review; None if none ever was.
    """

    filed: int = 0
    today: int = 0
    classes: dict[str, int] = field(default_factory=dict)
    outcomes: dict[str, int] = field(default_factory=dict)
    reviews: dict[str, int] = field(default_factory=dict)
    held: int = 0
    last_filed_at_s: float | None = None


def totals(connection: sqlite3.Connection, midnight_s: float) -> Totals:
    """Return what a ledger counts.

    Args:
        connection: to the ledger; columns can be read by name.
        midnight_s: when today began, in seconds since 1970.
    """
    classes: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()
    reviews: Counter[str] = Counter()
    counted = "SELECT state, label, review_reason, photos FROM totals WHERE photos > 0"
    for state, label, reason, photos in connection.execute(counted):
        outcomes[state] += photos
        if state == Outcome.FILED:
            classes[label] += photos
        elif state == Outcome.REVIEW:
            reviews[reason] += photos
    last = "SELECT concluded_at FROM photos WHERE state IN ('filed', 'review') AND part_of IS NULL ORDER BY id DESC"
    (last_s,) = connection.execute(f"{last} LIMIT 1").fetchone() or (None,)
    held = "undoes IS NOT NULL AND part_of IS NULL AND state = 'undone' AND held IS NOT NULL"
    (held_now,) = connection.execute(f"SELECT count(*) FROM photos WHERE {held}").fetchone()
    filed = outcomes[Outcome.FILED.value]
    today = _filed_since(connection, midnight_s)
    return Totals(filed, today, dict(classes), dict(outcomes), dict(reviews), held_now, last_s)


def _filed_since(connection: sqlite3.Connection, since_s: float) -> int:
    """Count the photos filed since a time; only their own rows are read."""
    filed = f"state = 'filed' AND part_of IS NULL AND concluded_at >= ? AND NOT {schema.TAKEN_BACK}"
    asked = f"SELECT count(*) FROM photos WHERE id >= ? AND {filed}"
    (count,) = connection.execute(asked, (_first_since(connection, since_s), since_s)).fetchone()
    return int(count)


def _first_since(connection: sqlite3.Connection, since_s: float) -> int:
    """Return the number of the first row written since a time: rows are numbered in the order of time."""
    ends = "(SELECT coalesce(min(id), 1) FROM photos), (SELECT coalesce(max(id), 0) + 1 FROM photos)"
    low, high = connection.execute(f"SELECT {ends}").fetchone()  # in one query, SQLite would read all rows
    while low < high:
        middle = (low + high) // 2
        row = connection.execute(
            "SELECT id, coalesce(concluded_at, intended_at) FROM photos WHERE id >= ? ORDER BY id LIMIT 1", (middle,)
        ).fetchone()
        if row[1] < since_s:
            low = row[0] + 1
        else:
            high = middle
    return int(low)
