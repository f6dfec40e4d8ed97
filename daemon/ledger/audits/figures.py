"""The figures of audits: how often people agree with what a model filed, read without reading photos."""

import sqlite3
from typing import NamedTuple

from daemon.ledger.audits.interval import Share, Stratum, share_of, size_that_parts

_STRATA = (
    "SELECT photos, probability, (SELECT count(*) FROM audits WHERE {same} AND said <> ''),"
    " (SELECT count(*) FROM audits WHERE {same} AND said = class) FROM audit_strata WHERE model = ?"
).format(same="audits.model = audit_strata.model AND audits.stratum = audit_strata.stratum AND is_counted")
_COUNTS = (
    "SELECT count(*) FILTER (WHERE said = ''), count(*) FILTER (WHERE said IS NULL), max(said_at)"
    " FROM audits WHERE model = ? AND is_counted"
)
_MONTHS = (
    "WITH answers AS (SELECT photo, audits.stratum, said = class AS is_right, CAST(photos AS REAL)"
    " / count(*) OVER (PARTITION BY audits.stratum) AS weight FROM audits JOIN audit_strata USING (model, stratum)"
    " WHERE model = ? AND is_counted AND said <> '')"
    " SELECT strftime('%Y-%m', concluded_at, 'unixepoch', 'localtime') AS month, weight, count(*), sum(is_right)"
    " FROM answers JOIN photos ON photos.id = photo GROUP BY month, stratum ORDER BY month, stratum"
)
_DRAWN = "SELECT at, since FROM audit_draws WHERE model = ?"
_MODELS = "SELECT model FROM audit_draws ORDER BY at DESC"


class MonthFigure(NamedTuple):
    """Answers about the photos of one month, and what they say of all that was filed in it."""

    answered: int
    share: Share


class AuditFigure(NamedTuple):
    """What is known of what one model filed.

    Attributes:
        model: SHA-256 of its file.
        share: of the photos that are right, over all that it filed.
        answered: photos that people answered.
        skipped: photos that were asked about, and skipped.
        waiting: photos that were drawn and wait for an answer.
        photos: contents that it had filed when photos were drawn last.
        covered: of them, those in strata with an answer: the figure is about these.
        estimate: mean of the probabilities that the model gave them: no audit, an estimate.
        drawn_at_s: when photos were drawn last, in seconds since 1970.
        since_s: only photos that were filed since then; 0 for all.
        answered_at_s: when a person answered last; None if nobody did.
        months: what is known of the photos filed in each month, such as `2026-11`, in order.
    """

    model: str
    share: Share
    answered: int
    skipped: int
    waiting: int
    photos: int
    covered: int
    estimate: float
    drawn_at_s: float
    since_s: float
    answered_at_s: float | None
    months: dict[str, MonthFigure]


def figure_of(connection: sqlite3.Connection, model: str) -> AuditFigure | None:
    """Return the figure of a model; None if no photo was ever drawn of what it filed.

    Args:
        connection: to the ledger.
        model: SHA-256 of its file.
    """
    drawn = connection.execute(_DRAWN, (model,)).fetchone()
    if drawn is None:
        return None
    rows = connection.execute(_STRATA, (model,)).fetchall()
    strata = [Stratum(photos / max(answered, 1), answered, right) for photos, _, answered, right in rows]
    skipped, waiting, last_s = connection.execute(_COUNTS, (model,)).fetchone()
    photos = sum(row[0] for row in rows)
    estimate = sum(row[1] for row in rows) / photos if photos else 0.0
    covered = sum(row[0] for row in rows if row[2])
    answered = sum(one.answered for one in strata)
    return AuditFigure(
        model,
        share_of(strata),
        answered,
        skipped,
        waiting,
        photos,
        covered,
        estimate,
        drawn[0],
        drawn[1],
        last_s,
        _by_month(connection, model),
    )


def figures(connection: sqlite3.Connection) -> list[AuditFigure]:
    """Return the figures of all models that were audited, the one whose photos were drawn last first."""
    models = [model for (model,) in connection.execute(_MODELS).fetchall()]
    return [found for model in models if (found := figure_of(connection, model)) is not None]


def answers_that_part(one: AuditFigure, other: AuditFigure) -> tuple[int, int] | None:
    """Return how many more answers each of two models needs until their intervals part, at the shares that they have.

    Returns:
        The numbers; None if no number of answers is likely to part them.
    """
    size = size_that_parts(one.share, other.share)
    if size is None:
        return None
    first, second = (_more(figure, size) for figure in (one, other))
    return first, second


def _more(figure: AuditFigure, size: int) -> int:
    """Return how many answers bring a figure to an effective size: weights cost some of each."""
    missing = size - figure.share.effective
    per_answer = figure.share.effective / figure.answered if figure.answered else 1.0
    return max(0, -int(-missing // per_answer))


def _by_month(connection: sqlite3.Connection, model: str) -> dict[str, MonthFigure]:
    """Return what is known of the photos that a model filed in each month, such as `2026-11`, in order."""
    strata: dict[str, list[Stratum]] = {}
    for month, weight, answered, right in connection.execute(_MONTHS, (model,)):
        strata.setdefault(month, []).append(Stratum(weight, answered, right))
    return {name: MonthFigure(sum(one.answered for one in found), share_of(found)) for name, found in strata.items()}
