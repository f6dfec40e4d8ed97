"""The ledger: one row per photo that was moved, written before and after the move.

A row begins as an intent, committed before the file is touched; its outcome follows when the file and its folders are
synced. After a crash, rows that are still intents say exactly where to look. SQLite in WAL mode with full syncs: a
commit costs 0.26 ms and is durable.
"""

import json
import os
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contract.errors import PhototriageError
from contract.text import printable
from daemon.photo import Identity, Outcome

MIGRATIONS = (
    """
    CREATE TABLE roots (role TEXT PRIMARY KEY, path BLOB NOT NULL, marker TEXT NOT NULL, mount BLOB NOT NULL) STRICT;
    CREATE TABLE photos (
        id INTEGER PRIMARY KEY,
        batch INTEGER NOT NULL,
        state TEXT NOT NULL,
        becomes TEXT NOT NULL,
        intended_at REAL NOT NULL,
        concluded_at REAL,
        source BLOB NOT NULL,
        destination BLOB NOT NULL,
        device TEXT NOT NULL,
        inode TEXT NOT NULL,
        size INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,
        sha256 TEXT NOT NULL,
        label TEXT NOT NULL,
        probability REAL NOT NULL,
        top TEXT NOT NULL,
        threshold REAL NOT NULL,
        reason TEXT NOT NULL,
        model TEXT NOT NULL,
        provider TEXT NOT NULL,
        times_ms TEXT NOT NULL
    ) STRICT;
    CREATE INDEX photos_open ON photos (id) WHERE state = 'intent';
    """,
)
"""Schema changes in order; `PRAGMA user_version` counts those that a ledger has seen."""


class LedgerError(PhototriageError):
    """The ledger cannot be used."""


@dataclass(frozen=True, slots=True)
class Intent:
    """What is about to happen to one photo; the fields are the columns of its row."""

    becomes: Outcome
    source: Path
    destination: Path
    identity: Identity
    sha256: str
    label: str = ""
    probability: float = 0.0
    top: Mapping[str, float] | None = None
    threshold: float = 0.0
    reason: str = ""
    model: str = ""
    provider: str = ""
    times_ms: Mapping[str, float] | None = None


class Ledger:
    """Opens the ledger of one inbox, made if need be; used by one thread at a time.

    Raises:
        LedgerError: it was written by a newer version, is damaged, or its folder cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise _unusable(path, error) from error
        try:
            self._batch = self._open()
        except BaseException as error:
            self._connection.close()
            if isinstance(error, sqlite3.Error):
                raise _unusable(path, error) from error
            raise

    def _open(self) -> int:
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._migrate()
        (last,) = self._connection.execute("SELECT coalesce(max(batch), 0) FROM photos").fetchone()
        return int(last)

    def _migrate(self) -> None:
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if version > len(MIGRATIONS):
            raise LedgerError(f"The ledger {self._path} was written by a newer phototriage. Update this one.")
        for number, script in enumerate(MIGRATIONS[version:], version + 1):
            self._connection.executescript(f"BEGIN; {script} PRAGMA user_version = {number}; COMMIT;")

    def close(self) -> None:
        """Close the file; nothing is pending."""
        self._connection.close()

    def intend(self, intents: Iterable[Intent], now_s: float) -> list[int]:
        """Commit one batch of intents, durably; returns their row numbers in order."""
        self._batch += 1
        with self._transaction():
            return [self._insert(intent, now_s) for intent in intents]

    def conclude(self, outcomes: Mapping[int, Outcome | None], now_s: float) -> None:
        """Commit what became of intents; None means that nothing was moved, and the row goes."""
        with self._transaction():
            for row, outcome in outcomes.items():
                if outcome is None:
                    self._connection.execute("DELETE FROM photos WHERE id = ?", (row,))
                else:
                    self._connection.execute(
                        "UPDATE photos SET state = ?, concluded_at = ? WHERE id = ?", (outcome.value, now_s, row)
                    )

    def open_intents(self) -> dict[int, Intent]:
        """Return the intents without an outcome, by row: what a crash interrupted."""
        rows = self._connection.execute(
            "SELECT id, becomes, source, destination, device, inode, size, mtime_ns, sha256"
            " FROM photos WHERE state = 'intent' ORDER BY id"
        )
        return {
            row: Intent(
                Outcome(becomes), Path(os.fsdecode(source)), Path(os.fsdecode(destination)),
                Identity(int(device), int(inode), size, mtime_ns), sha256,
            )
            for row, becomes, source, destination, device, inode, size, mtime_ns, sha256 in rows
        }  # fmt: skip

    def root(self, role: str) -> tuple[str, Path] | None:
        """Return the recorded marker and mount point of a root (`inbox`, `output`), or None if there is none yet."""
        row = self._connection.execute("SELECT marker, mount, path FROM roots WHERE role = ?", (role,)).fetchone()
        return (row[0], Path(os.fsdecode(row[1]))) if row else None

    def record_root(self, role: str, path: Path, marker: str, mount: Path) -> None:
        """Remember a root: its path, the id in its marker file, and the mount point that it lies on."""
        self._connection.execute(
            "INSERT OR REPLACE INTO roots VALUES (?, ?, ?, ?)", (role, os.fsencode(path), marker, os.fsencode(mount))
        )

    def _insert(self, intent: Intent, now_s: float) -> int:
        values: dict[str, Any] = {
            "batch": self._batch,
            "state": "intent",
            "becomes": intent.becomes.value,
            "intended_at": now_s,
            "source": os.fsencode(intent.source),
            "destination": os.fsencode(intent.destination),
            "device": str(intent.identity.device),  # as text: an unsigned 64-bit number does not fit SQLite's integer
            "inode": str(intent.identity.inode),
            "size": intent.identity.size,
            "mtime_ns": intent.identity.mtime_ns,
            "sha256": intent.sha256,
            "label": intent.label,
            "probability": intent.probability,
            "top": json.dumps(intent.top or {}, ensure_ascii=False),
            "threshold": intent.threshold,
            "reason": intent.reason,
            "model": intent.model,
            "provider": intent.provider,
            "times_ms": json.dumps({name: round(value, 3) for name, value in (intent.times_ms or {}).items()}),
        }
        names = ", ".join(values)
        marks = ", ".join("?" * len(values))
        cursor = self._connection.execute(f"INSERT INTO photos ({names}) VALUES ({marks})", tuple(values.values()))
        return int(cursor.lastrowid or 0)

    def _transaction(self) -> "_Transaction":
        return _Transaction(self._connection)


class _Transaction:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._connection.execute("COMMIT")
        finally:
            if self._connection.in_transaction:  # a full disk may have rolled it back, or may not
                self._connection.execute("ROLLBACK")


def _unusable(path: Path, error: OSError | sqlite3.Error) -> LedgerError:
    if isinstance(error, OSError | sqlite3.OperationalError):
        cure = "Check the folder's permissions, and that its disk is not full."
    else:
        cure = "Its file is damaged: move it away and start again; only the record of past photos is in it."
    return LedgerError(f"The ledger {printable(path)} cannot be used: {error}. {cure}")
