"""How many labels are in force, and how many questions are open: read without reading photos."""

import sqlite3
from dataclasses import dataclass, field

from daemon.ledger.audits.figures import figure_of
from daemon.ledger.since.corrections import Corrections, corrections, is_worse


@dataclass(frozen=True, slots=True)
class LabelTotals:
    """What people said, and when their doings were looked for last.

    Attributes:
        classes: photos with a label in force, by class; `_other` for none of the classes.
        questions: how many wait for an answer.
        last_look_at_s: when the output was looked at last, in seconds since 1970; None if it never was.
        unlearnt: labels that the model in use has not learnt from; None if it is not known which model that is.
        filed: photos that the model in use has filed.
        corrected: those of which people said another class.
        filed_before: photos that the model before it had filed.
        corrected_before: those of which people said another class.
        audited: photos that people answered in audits of the model in use; labels or not.
        accuracy: share of what it filed that is right, by these answers; 0 without one.
        accuracy_low: lower bound of its 95 % interval.
        accuracy_high: upper bound.
    """

    classes: dict[str, int] = field(default_factory=dict)
    questions: int = 0
    last_look_at_s: float | None = None
    unlearnt: int | None = None
    filed: int = 0
    corrected: int = 0
    filed_before: int = 0
    corrected_before: int = 0
    audited: int = 0
    accuracy: float = 0.0
    accuracy_low: float = 0.0
    accuracy_high: float = 1.0

    @property
    def is_worse(self) -> bool:
        """Whether people correct the model in use more often than the one before."""
        now, before = self.corrections
        return is_worse(now, before)

    @property
    def corrections(self) -> tuple[Corrections, Corrections]:
        """Corrections of the model in use, and of the one before."""
        return Corrections("", self.filed, self.corrected), Corrections("", self.filed_before, self.corrected_before)

    @property
    def labels(self) -> int:
        """How many labels are in force."""
        return sum(self.classes.values())


def labels_summary(
    connection: sqlite3.Connection, last_look_at_s: float | None, learnt_at_s: float | None = None
) -> LabelTotals:
    """Return what a ledger counts; equal photos count once.

    Args:
        connection: to the ledger.
        last_look_at_s: when the output was looked at last; a look that finds nothing leaves the ledger as it is.
        learnt_at_s: when the model in use learnt, 0 if it never did; None if it is not known which model that is.
    """
    in_force = "SELECT said, count(*) FROM labelled WHERE said <> '' GROUP BY said ORDER BY said"
    (questions,) = connection.execute("SELECT count(*) FROM questions WHERE answered_at IS NULL").fetchone()
    unlearnt = None
    if learnt_at_s is not None:
        later = "SELECT count(*) FROM labelled JOIN labels ON labels.id = event WHERE labelled.said <> '' AND at > ?"
        (unlearnt,) = connection.execute(later, (learnt_at_s,)).fetchone()
    now, before = corrections(connection)
    figure = figure_of(connection, now.model)
    return LabelTotals(
        dict(connection.execute(in_force)), questions, last_look_at_s, unlearnt,
        now.filed, now.corrected, before.filed, before.corrected,
        *((figure.answered, *figure.share[:3]) if figure is not None else ()),
    )  # fmt: skip
