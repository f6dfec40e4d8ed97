"""Photos that were drawn for an audit, and what people answered; answers are no labels."""

import sqlite3
from collections.abc import Iterable
from hashlib import blake2b
from typing import NamedTuple

SKIPPED = ""
"""What is kept of a question that was skipped."""
_COLUMNS = "token, photo, sha256, class, said"


class Drawn(NamedTuple):
    """A photo that was drawn.

    Attributes:
        token: its random number among the photos of a model, hexadecimal; says nothing about its class.
        photo: its row.
        sha256: of its content when it was filed.
        label: the model's answer.
        said: what a person answered; empty if it was skipped, None if it was not asked yet.
    """

    token: str
    photo: int
    sha256: str
    label: str
    said: str | None


def token_of(model: str, sha256: str) -> str:
    """Return the random number of a content among the photos of a model, as 16 hexadecimal digits.

    It never changes. So the photos with the smallest numbers are a random sample of what was filed, also when more is
    filed later, equal photos are one, and nothing has to be remembered to draw more.
    """
    return blake2b(f"{model} {sha256}".encode(), digest_size=8).hexdigest()


def drawn_of(connection: sqlite3.Connection, model: str) -> dict[str, Drawn]:
    """Return all photos that were ever drawn of what a model filed, by their tokens."""
    rows = connection.execute(f"SELECT {_COLUMNS} FROM audits WHERE model = ? ORDER BY token", (model,))
    return {row[0]: Drawn(*row) for row in rows}


def unanswered(connection: sqlite3.Connection, model: str) -> list[Drawn]:
    """Return the photos that the last draw holds and that nobody was asked about yet, in random order."""
    waiting = "model = ? AND is_counted AND said IS NULL ORDER BY token"
    return [Drawn(*row) for row in connection.execute(f"SELECT {_COLUMNS} FROM audits WHERE {waiting}", (model,))]


def with_token(connection: sqlite3.Connection, token: str) -> Drawn | None:
    """Return the photo that has a token; None if it was never drawn here."""
    row = connection.execute(f"SELECT {_COLUMNS} FROM audits WHERE token = ?", (token,)).fetchone()
    return None if row is None else Drawn(*row)


def answer(connection: sqlite3.Connection, now_s: float, answers: Iterable[tuple[str, str]]) -> None:
    """Keep what a person saw on photos: pairs of a token and a class; in autocommit mode each is durable at once."""
    kept = "UPDATE audits SET said = ?, said_at = ? WHERE token = ?"
    connection.executemany(kept, [(said, now_s, token) for token, said in answers])
