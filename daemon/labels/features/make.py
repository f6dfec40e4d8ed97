"""What finds a labelled photo and its near-duplicates again: made by the daemon, which has the model, a few at a time.

A label made by a command has no features yet: until then its photo is known by its bytes alone.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from contract.fingerprint import Fingerprint
from contract.labels import Side
from daemon.labels.features.groups import Group, Groups, Member
from daemon.labels.store.place_columns import place_in
from daemon.ledger.transaction import Transaction
from daemon.photo import Embedding

SOME = 32
"""Photos of one commit."""
_LACKING = (
    "SELECT sha256, founder, side FROM labelled WHERE said <> '' AND embedding_id IS NOT ?1 AND tried <> ?1"
    " ORDER BY event LIMIT ?2"
)
_FILED = (
    "SELECT folder, name FROM places JOIN photos ON photos.id = places.photo WHERE sha256 = ? AND NOT is_gone"
    " AND target = x''"
)
_NAMED = "SELECT place FROM labels WHERE sha256 = ? AND photo IS NULL"
_STORE = (
    "UPDATE labelled SET founder = ?, side = ?, taken = ?, fingerprint = ?, embedding_id = ?, embedding = ?"
    " WHERE sha256 = ?"
)


class Features(NamedTuple):
    """What is known of a photo's content.

    Attributes:
        sha256: of its bytes, hexadecimal.
        fingerprint: of its pixels.
        embedding: by the model in use.
        taken: capture time, local to the camera; None if that is not known.
    """

    sha256: str
    fingerprint: Fingerprint
    embedding: Embedding
    taken: datetime | None


def make_features(
    connection: sqlite3.Connection,
    output: Path,
    of: str,
    features_of: Callable[[Path], Features | None],
    is_stopping: Callable[[], bool],
    most: int = 0,
) -> int:
    """Make the features of labelled photos that lack them; returns of how many.

    Args:
        connection: to the ledger, in autocommit mode.
        output: root of the class folders.
        of: id of the embeddings that the model in use gives.
        features_of: reads a photo; None if it cannot be read.
        is_stopping: whether to stop.
        most: how many; 0 for all.
    """
    made = 0
    groups: Groups | None = None
    while rows := connection.execute(_LACKING, (of, SOME)).fetchall():
        groups = groups or Groups(_members(connection, of))
        stored, failed = list[tuple[object, ...]](), list[tuple[str, str]]()
        for sha256, founder, side in rows:
            if is_stopping():
                return made
            found = _features(connection, output, sha256, features_of)
            if found is None:
                failed.append((of, sha256))
                continue
            group = groups.join(sha256, found.fingerprint, found.embedding)
            if founder is not None:  # made by an earlier broad network: sides stay
                group = Group(founder, Side(side))
            taken = None if found.taken is None else found.taken.replace(tzinfo=UTC).timestamp()
            stored.append((*group, taken, found.fingerprint.to_bytes(), of, found.embedding.values, sha256))
        with Transaction(connection):
            connection.executemany(_STORE, stored)
            connection.executemany("UPDATE labelled SET tried = ? WHERE sha256 = ?", failed)
        made += len(stored)
        if most and made + len(failed) >= most:
            break
    return made


def try_again(connection: sqlite3.Connection) -> None:
    """Let features be made once more of photos that could not be read: a disk may be back."""
    connection.execute("UPDATE labelled SET tried = '' WHERE tried <> ''")


def _features(
    connection: sqlite3.Connection, output: Path, sha256: str, features_of: Callable[[Path], Features | None]
) -> Features | None:
    for path in _places(connection, output, sha256):
        found = features_of(path)
        if found is not None and found.sha256 == sha256:
            return found
    return None


def _places(connection: sqlite3.Connection, output: Path, sha256: str) -> Iterator[Path]:
    for folder, name in connection.execute(_FILED, (sha256,)).fetchall():
        yield output / place_in(folder, name)
    for (place,) in connection.execute(_NAMED, (sha256,)).fetchall():
        yield Path(os.fsdecode(place))


def _members(connection: sqlite3.Connection, of: str) -> Iterator[Member]:
    known = (
        "SELECT founder, side, fingerprint, embedding FROM labelled WHERE embedding_id = ? AND fingerprint IS NOT NULL"
        " ORDER BY event"
    )
    for founder, side, fingerprint, values in connection.execute(known, (of,)):
        yield Member(Group(founder, Side(side)), Fingerprint.from_bytes(fingerprint), Embedding(of, values))
