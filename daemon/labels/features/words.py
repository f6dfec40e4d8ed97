"""Reads the words in force from all ledgers of one output, when they have changed."""

import heapq
import sqlite3
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from contract.fingerprint import Fingerprint
from daemon.ledger.errors import LedgerError
from daemon.ledger.reader import ask_ledger
from daemon.photo import Embedding
from daemon.words.word import Word
from daemon.words.words import Words

_WORDS = (
    "SELECT labels.at, labelled.said, labelled.sha256, fingerprint, embedding_id, embedding, taken, name FROM labelled"
    " JOIN labels ON labels.id = event WHERE labelled.said <> '' ORDER BY labels.at"
)
_Said = tuple[float, Word]


class WordsInForce:
    """Reads words again when they have changed; used by one thread.

    Args:
        connection: to the own ledger.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._versions: tuple[int, ...] = ()
        self._others: Collection[Path] = ()

    def changed(self, others: Collection[Path] | None = None) -> Words | None:
        """Return the words in force; None if they are as before.

        Args:
            others: the other ledgers of the output; None to see only whether the own ledger has changed.
        """
        own = _version(self._connection)
        if others is None and self._versions[:1] == (own,):
            return None
        self._others = self._others if others is None else others
        versions = [own]
        for path in self._others:
            with suppress(LedgerError):
                versions.append(ask_ledger(path, _version))
        if tuple(versions) == self._versions:
            return None
        self._versions = tuple(versions)
        return _merged([_said(self._connection), *_said_in(self._others)])


def read_words(ledgers: Iterable[Path]) -> Words:
    """Return the words in force of these ledgers; one that cannot be read says nothing."""
    return _merged(_said_in(ledgers))


def _said_in(ledgers: Iterable[Path]) -> Iterator[list[_Said]]:
    for path in ledgers:
        with suppress(LedgerError):
            yield ask_ledger(path, lambda connection: list(_said(connection)))


def _merged(said: Iterable[Iterable[_Said]]) -> Words:
    return Words(word for _, word in heapq.merge(*said, key=lambda one: one[0]))


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("SELECT words FROM look").fetchone()
    return int(version)


def _said(connection: sqlite3.Connection) -> Iterator[_Said]:
    """Yield what was said, oldest first, and hold none of it."""
    cursor = connection.cursor()
    cursor.row_factory = None
    for columns in cursor.execute(_WORDS):
        yield _one(*columns)


def _one(
    at_s: float, said: str, sha256: str, fingerprint: bytes | None, of: str | None, values: bytes | None,
    taken_s: float | None, name: str,
) -> _Said:  # fmt: skip
    mark = None
    with suppress(ValueError):  # damaged: the photo is known by its bytes
        mark = None if fingerprint is None else Fingerprint.from_bytes(fingerprint)
    embedding = None if of is None or values is None else Embedding(of, values)
    taken = None if taken_s is None else datetime.fromtimestamp(taken_s, UTC).replace(tzinfo=None)
    return at_s, Word(said, sha256, mark, embedding, taken, name)
