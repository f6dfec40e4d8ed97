"""How often people correct what a model filed: the only figure about a model at work that costs them nothing.

Corrections come late, so a model that has just begun looks better than it is: only a worse figure means something.
"""

import sqlite3
from math import comb
from typing import NamedTuple

SURE = 0.01
"""Chance of so many corrections, were the model no worse than the one before, below which it is called worse."""
_SERVED = "SELECT sha256 FROM models WHERE what IN ('started', 'used', 'rolled back') ORDER BY id DESC"
_FILED = "SELECT coalesce(sum(photos), 0) FROM filed_by WHERE model = ?"
_CORRECTED = "SELECT count(DISTINCT photo) FROM labels WHERE model = ? AND said <> '' AND said <> shown"


class Corrections(NamedTuple):
    """What people corrected of what one model filed.

    Attributes:
        model: SHA-256 of its file; empty if there is none.
        filed: photos that it filed.
        corrected: those of which people said another class.
    """

    model: str = ""
    filed: int = 0
    corrected: int = 0

    @property
    def per_1000(self) -> float:
        """Corrections of a thousand filed photos."""
        return 1e3 * self.corrected / self.filed if self.filed else 0.0


def corrections(connection: sqlite3.Connection) -> tuple[Corrections, Corrections]:
    """Return the corrections of the model in use, and of the one before it."""
    found = [_of(connection, sha256) for sha256 in served(connection, 2)]
    now, before, *_ = (*found, Corrections(), Corrections())
    return now, before


def served(connection: sqlite3.Connection, most: int) -> list[str]:
    """Return the hashes of the models that served last, at most `most`, the one in use first."""
    found: dict[str, None] = {}
    for (sha256,) in connection.execute(_SERVED):
        found[sha256] = None
        if len(found) == most:
            break
    return list(found)


def is_worse(now: Corrections, before: Corrections) -> bool:
    """Tell whether the model in use is corrected more often than the one before, by an exact test."""
    total = now.corrected + before.corrected
    if not (total and now.filed and before.filed):
        return False
    share = now.filed / (now.filed + before.filed)
    return sum(comb(total, n) * share**n * (1 - share) ** (total - n) for n in range(now.corrected, total + 1)) < SURE


def _of(connection: sqlite3.Connection, sha256: str) -> Corrections:
    (filed,), (corrected,) = (connection.execute(query, (sha256,)).fetchone() for query in (_FILED, _CORRECTED))
    return Corrections(sha256, filed, corrected)
