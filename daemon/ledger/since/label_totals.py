"""How many labels are in force, and how many questions are open: read without reading photos."""

import sqlite3
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class LabelTotals:
    """What people said, and when their doings were looked for last.

    Attributes:
        classes: photos with a label in force, by class; `_other` for none of the classes.
        questions: how many wait for an answer.
        last_look_at_s: when the output was looked at last, in seconds since 1970; None if it never was.
    """

    classes: dict[str, int] = field(default_factory=dict)
    questions: int = 0
    last_look_at_s: float | None = None

    @property
    def labels(self) -> int:
        """How many labels are in force."""
        return sum(self.classes.values())


def labels_summary(connection: sqlite3.Connection, last_look_at_s: float | None) -> LabelTotals:
    """Return what a ledger counts; equal photos count once.

    Args:
        connection: to the ledger.
        last_look_at_s: when the output was looked at last; a look that finds nothing leaves the ledger as it is.
    """
    in_force = "SELECT said, count(*) FROM labelled WHERE said <> '' GROUP BY said ORDER BY said"
    (questions,) = connection.execute("SELECT count(*) FROM questions WHERE answered_at IS NULL").fetchone()
    return LabelTotals(dict(connection.execute(in_force)), questions, last_look_at_s)
