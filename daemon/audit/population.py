"""What a model filed, read once: how much of each class, and of each class the photos that are drawn first.

Equal photos are one. A photo that its owner moved elsewhere belongs to it like any other: without those that were
corrected, a model would look better than it is. What `refile` moved belongs to the model that filed it first: no figure
would be true of a sample that the new model chose itself. Photos that `undo` took back, and those that are gone from
the output, do not belong to it, unless they are answered: nobody could be asked about them.
"""

import sqlite3
from bisect import insort
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from daemon.ledger.audits.answers import Drawn, token_of
from daemon.ledger.reader import reader

PAGE = 20_000
"""Rows that are read at once; a daemon may write between two pages."""


class Candidate(NamedTuple):
    """A filed photo that may be drawn; those with the smallest tokens are."""

    token: str
    photo: int
    sha256: str
    label: str


class Stratum:
    """What a model filed under one class.

    Attributes:
        photos: different contents.
        probability: sum of what the model gave them.
        first: those with the smallest tokens, in order.
    """

    def __init__(self) -> None:
        self.photos = 0
        self.probability = 0.0
        self.first: list[Candidate] = []

    def take(self, candidate: Candidate, probability: float, most: int) -> None:
        """Count a photo, and keep it if it is among the first `most`."""
        self.photos += 1
        self.probability += probability
        if len(self.first) < most or candidate.token < self.first[-1].token:
            insort(self.first, candidate)
            del self.first[most:]


def _filed(photo: str) -> str:
    """Return the SQL condition that a row is a photo which the model filed and which is still in the output."""
    undone = f"SELECT 1 FROM photos AS later WHERE later.undoes = {photo}.id AND later.state IN ('undone', 'retried')"
    return (
        f"{photo}.model = :model AND {photo}.state = 'filed' AND {photo}.part_of IS NULL AND {photo}.undoes IS NULL"
        f" AND {photo}.known_as = '' AND {photo}.refiles IS NULL"
        f" AND {photo}.concluded_at >= :since AND NOT EXISTS ({undone})"
        f" AND NOT EXISTS (SELECT 1 FROM places WHERE places.photo = {photo}.id AND is_gone)"
    )


_ANSWERED = (
    "photos.model = :model AND photos.state = 'filed' AND photos.part_of IS NULL AND photos.undoes IS NULL"
    " AND photos.known_as = '' AND photos.refiles IS NULL AND photos.concluded_at >= :since"
    " AND EXISTS (SELECT 1 FROM audits WHERE audits.sha256 = photos.sha256 AND audits.model = :model AND said <> '')"
)
_IS_FIRST = (
    "NOT EXISTS (SELECT 1 FROM photos AS earlier WHERE earlier.sha256 = photos.sha256 AND earlier.id < photos.id"
    f" AND {_filed('earlier')})"
)
_ROWS = (
    "SELECT id, sha256, label, probability FROM photos WHERE id > :after AND id <= :last AND sha256 <> ''"
    f" AND ({_filed('photos')} AND {_IS_FIRST} OR {_ANSWERED}) ORDER BY id"
)


def population(ledger: Path, model: str, since_s: float, drawn: Mapping[str, Drawn], most: int) -> dict[str, Stratum]:
    """Return what a model filed, by its class; memory does not grow with it.

    Args:
        ledger: its file.
        model: SHA-256 of the model's file.
        since_s: only photos that were filed since then, in seconds since 1970.
        drawn: what was drawn before, by tokens.
        most: how many photos of each class may be drawn.
    """
    strata: dict[str, Stratum] = {}
    seen: set[str] = set()
    for photo, sha256, label, probability in _rows(ledger, model, since_s):
        token = token_of(model, sha256)
        if token in drawn:  # an answered photo that was filed again is found twice
            if token in seen:
                continue
            seen.add(token)
        strata.setdefault(label, Stratum()).take(Candidate(token, photo, sha256, label), probability, most)
    return strata


def _rows(ledger: Path, model: str, since_s: float) -> Iterator[tuple[int, str, str, float]]:
    after = 0
    with reader(ledger) as one:
        last = one.ask(
            lambda connection: int(connection.execute("SELECT coalesce(max(id), 0) FROM photos").fetchone()[0])
        )
        while after < last:
            values: dict[str, int | float | str] = {
                "model": model,
                "since": since_s,
                "after": after,
                "last": after + PAGE,
            }

            def _page(
                connection: sqlite3.Connection, values: Mapping[str, int | float | str] = values
            ) -> list[tuple[int, str, str, float]]:
                return [tuple(row) for row in connection.execute(_ROWS, values)]

            yield from one.ask(_page)
            after += PAGE
