"""Draws photos from what a model filed, and remembers them in the ledger before anybody is asked."""

import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path

from daemon.audit.neutral_copy import is_at_hand
from daemon.audit.population import Candidate, Stratum, population
from daemon.audit.seats import Seat, seats_of, strata_of
from daemon.ledger.audits.answers import Drawn, drawn_of, unanswered
from daemon.ledger.since.places import paths_of_content
from daemon.ledger.transaction import Transaction

SPARE = 50
"""Photos of each class that may be missing before its seats stay empty."""
_SINCE = "SELECT since FROM audit_draws WHERE model = ?"
_SEAT = (
    "INSERT INTO audits (token, at, photo, sha256, model, class, stratum, is_counted) VALUES (?, ?, ?, ?, ?, ?, ?, 1)"
    " ON CONFLICT DO UPDATE SET stratum = excluded.stratum, is_counted = 1"
)


def draw(
    connection: sqlite3.Connection, ledger: Path, model: str, photos: int, since_s: float, now_s: float
) -> list[Drawn]:
    """Return photos that wait for an answer, in random order: those drawn before, and as many new ones as are missing.

    Args:
        connection: to the ledger, in autocommit mode.
        ledger: its file.
        model: SHA-256 of the model's file.
        photos: how many are wanted; fewer if not as many can be shown.
        since_s: only photos that were filed since then; 0 for all.
        now_s: wall time.
    """

    def _is_at_hand(one: Candidate | Drawn) -> bool:
        return is_at_hand(paths_of_content(connection, one.sha256), one.sha256)

    if connection.execute(_SINCE, (model,)).fetchone() == (since_s,):
        waiting = [one for one in unanswered(connection, model)[: photos + SPARE] if _is_at_hand(one)]
        if len(waiting) >= photos:
            return waiting[:photos]
    drawn = drawn_of(connection, model)
    asked = {token for token, one in drawn.items() if one.said is not None}
    classes = population(ledger, model, since_s, drawn, len(drawn) + photos + SPARE)
    strata = strata_of(classes, len(asked) + photos)
    _keep(connection, model, since_s, now_s, strata, list(seats_of(strata, asked, photos, _is_at_hand)))
    return unanswered(connection, model)


def _keep(
    connection: sqlite3.Connection, model: str, since_s: float, now_s: float,
    strata: Mapping[str, Stratum], seats: Iterable[Seat],
) -> None:  # fmt: skip
    rows = [(one.token, now_s, one.photo, one.sha256, model, one.label, stratum) for stratum, one in seats]
    weights = [(model, name, one.photos, one.probability) for name, one in strata.items()]
    with Transaction(connection):
        connection.execute("UPDATE audits SET is_counted = 0 WHERE model = ?", (model,))
        connection.executemany(_SEAT, rows)
        connection.execute("DELETE FROM audit_strata WHERE model = ?", (model,))
        connection.executemany("INSERT INTO audit_strata VALUES (?, ?, ?, ?)", weights)
        connection.execute("INSERT OR REPLACE INTO audit_draws VALUES (?, ?, ?)", (model, now_s, since_s))
