"""The ledger: one row per photo that was moved, written before and after the move.

A row begins as an intent, committed before the file is touched. Its outcome follows when the file and its folders are
synced. After a crash, recovery knows from the rows that are still intents where to look. SQLite runs in WAL mode with
full syncs: a commit costs 0.26 ms and is durable. The log needs memory that all its readers share, which no network
share offers, so there SQLite runs with a rollback journal instead: slower, under the locks of the share.
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from daemon.files.identity import Identity, is_on_share
from daemon.ledger.errors import LedgerError, unusable
from daemon.ledger.held_files import hold_edited, holds_any, is_held, keep_replaced, note_times, unchanged
from daemon.ledger.intent import Intent, insert_intents, intent_of, next_batch
from daemon.ledger.leaving import LeavingOriginal, remember
from daemon.ledger.lonely import newly_lonely
from daemon.ledger.movers import Mover, is_running
from daemon.ledger.recorded_roots import LedgerRoots
from daemon.ledger.refiles import filed_from, row_in_force
from daemon.ledger.schema import TAKEN_BACK, UNDONE, migrate
from daemon.ledger.since.places import paths_of_content
from daemon.ledger.transaction import Transaction
from daemon.photo import Outcome, Photo

__all__ = ["Intent", "Ledger", "LedgerError"]

CHECKED_BYTES = 64 << 20
"""A ledger up to this size is checked at each start (0.4 s for 100,000 photos), a larger one only after a crash."""

_MOVER = f"iif(undoes IS NULL, mover, '{Mover.UNDO}')"
"""SQL: who moves a row's file. An `undo` of an earlier version, which runs on after an update, names no mover."""
_NAMED = (
    "source >= ? AND source < ? AND part_of IS NULL AND undoes IS NULL AND state NOT IN ('intent', 'gone')"
    f" AND refiles IS NULL AND intended_at >= ? AND NOT {UNDONE}"
)


class Ledger:
    """The ledger of one inbox, created if missing; used by one thread at a time, except `known`.

    Args:
        path: of its file.

    Attributes:
        on_share: whether it lies on a network share, and therefore has no write-ahead log.

    Raises:
        LedgerError: it was written by a newer version, is damaged, or its folder cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.on_share = is_on_share(path.parent)
            self._connection = _connect(path)
        except (OSError, sqlite3.Error) as error:
            raise unusable(path, error) from error
        try:
            self._open()
            self._reader = _connect(path)
            self.roots = LedgerRoots(path)
        except BaseException as error:
            self._connection.close()
            if isinstance(error, sqlite3.Error):
                raise unusable(path, error) from error
            raise

    def _open(self) -> None:
        self._check()
        if self.on_share:
            with suppress(sqlite3.OperationalError):  # an older version has it open with a log
                self._connection.execute("PRAGMA journal_mode = DELETE")
        else:
            self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        migrate(self._connection, self.path)

    def _check(self) -> None:
        """Raise DatabaseError for a damaged file at the start, not in the middle of filing."""
        # A running daemon also leaves a `-wal` or `-journal` file, but has checked the ledger at its start.
        begun = any(os.path.lexists(f"{self.path}-{log}") for log in ("wal", "journal"))
        crashed = begun and not is_running(self.path.parent)
        if crashed or self.path.stat().st_size <= CHECKED_BYTES:
            (found,) = self._connection.execute("PRAGMA quick_check(1)").fetchone()
            if found != "ok":
                raise sqlite3.DatabaseError(found)

    def close(self) -> None:
        """Close the file; every write was committed before."""
        self._reader.close()
        self._connection.close()

    def intend(self, intents: Iterable[Intent], now_s: float, batch: int | None = None) -> list[int]:
        """Commit intents durably; returns their row numbers in order, companions after their photo.

        Args:
            intents: what is about to be moved.
            now_s: wall time.
            batch: number of the batch that they belong to, from `new_batch`; None for one of their own.
        """
        with self._transaction():
            number = next_batch(self._connection) if batch is None else batch
            return insert_intents(self._connection, intents, now_s, number)

    def new_batch(self) -> int:
        """Return the number of a batch that is committed some rows at a time."""
        with self._transaction():
            return next_batch(self._connection)

    def conclude(
        self, outcomes: Mapping[int, Outcome | None], now_s: float, leaving: Mapping[int, LeavingOriginal] | None = None
    ) -> None:
        """Commit outcomes and waiting originals. Outcome None: nothing was moved, so the row is deleted."""
        with self._transaction():
            self._connection.executemany(
                "UPDATE photos SET state = ?, concluded_at = ? WHERE id = ?",
                [(outcome.value, now_s, row) for row, outcome in outcomes.items() if outcome is not None],
            )
            keep_replaced(self._connection)
            undone = [(row,) for row, outcome in outcomes.items() if outcome is None]
            self._connection.executemany("DELETE FROM photos WHERE id = ?", undone)
            note_times(self._connection, outcomes)
            remember(self._connection, leaving or {}, now_s)

    def filed_companions(self, photo: int, source: Path) -> dict[int, Intent]:
        """Return the companions of a photo that were filed from a path and not taken back, oldest first."""
        filed = f"part_of = ? AND state NOT IN ('intent', 'gone') AND undoes IS NULL AND NOT {TAKEN_BACK}"
        found = self._intents(filed, photo)
        return {row: was for row, was in found.items() if filed_from(self._connection, was) == source}

    def hold(self, row: int, path: Path, identity: Identity) -> None:
        """Record that a held file was edited in place, and that what was filed shows the edit."""
        hold_edited(self._connection, row, path, identity)

    def open_intents(self, mover: Mover) -> dict[int, Intent]:
        """Return a mover's intents that have no outcome, by row: interrupted, or in progress in another process."""
        return self._intents(f"state = 'intent' AND {_MOVER} = ?", mover.value)

    def concluded_last(self) -> list[Intent]:
        """Return the rows of the last commit of outcomes of each mover: a kill may have left their hidden names."""
        young = "(SELECT id, mover, concluded_at FROM photos ORDER BY id DESC LIMIT 1000)"
        last = f"(SELECT mover, max(concluded_at) FROM {young} GROUP BY mover)"
        return list(self._intents(f"id IN (SELECT id FROM {young} WHERE (mover, concluded_at) IN {last})").values())

    def originals(self, rows: Iterable[int]) -> dict[int, Intent]:
        """Return, for each of these rows, the intent that it undoes."""
        undoes = "SELECT undoes FROM photos WHERE id = ?"
        return {row: was for row in rows for was in self._intents(f"id = ({undoes})", row).values()}

    def release(self, rows: Iterable[int]) -> None:
        """Release photos that these rows took back, and their companions: the daemon may file them again."""
        with self._transaction():
            self._connection.executemany(
                "WITH photo AS (SELECT undoes AS id FROM photos WHERE id = :row) UPDATE photos SET held = NULL"
                " WHERE id = :row OR id = (SELECT id FROM photo) OR part_of = (SELECT id FROM photo)",
                [{"row": row} for row in rows],
            )

    def _intents(self, which: str, *values: int | float | str | bytes) -> dict[int, Intent]:
        with self._reopened_on_error():
            cursor = self._connection.cursor()
            cursor.row_factory = sqlite3.Row
            rows = cursor.execute(f"SELECT * FROM photos WHERE {which} ORDER BY id", values)
            return {row["id"]: intent_of(row) for row in rows}

    def known(self, path: Path, identity: Identity) -> bool:
        """Tell whether a file of the inbox is held (`is_held`); may be called from one other thread.

        False if the ledger cannot be read now: the filer checks again, and waits until the ledger can be read.
        """
        try:
            return is_held(self._reader, path, identity)
        except sqlite3.Error:
            with suppress(sqlite3.Error):
                self._reader = self._reopened(self._reader)
            return False

    def unchanged(self, photos: list[Photo], now_s: float, wall_s: float) -> list[Photo]:
        """Return the photos that are held by their content (`held_files.unchanged`)."""
        with self._reopened_on_error():
            if not holds_any(self._connection):
                return []
        with self._transaction():
            return unchanged(self._connection, photos, now_s, wall_s)

    def paths_of_content(self, sha256: str) -> list[Path]:
        """Return where photos of this content may lie (`places.paths_of_content`)."""
        with self._reopened_on_error():
            return paths_of_content(self._connection, sha256)

    def class_folders(self) -> dict[str, str]:
        """Return the folder of each class whose folder a person renamed."""
        with self._reopened_on_error():
            return dict(self._connection.execute("SELECT class, folder FROM class_folders"))

    def of_names(self, folder: Path, ranges: Iterable[tuple[str, str]], since_s: float) -> dict[int, Intent]:
        """Return the photos that were filed from a folder since a time, oldest first, but not those taken back.

        Each range of names goes from its first to before its last. Of a photo that was refiled it is the row in force,
        with the path that the photo was filed from.
        """
        found: dict[int, Intent] = {}
        for names in ranges:
            filed = self._intents(_NAMED, *(os.fsencode(f"{folder}/{name}") for name in names), since_s)
            found |= dict(row_in_force(self._connection, *one) for one in filed.items())
        return dict(sorted(found.items()))

    def newly_lonely(self, parts: list[Photo]) -> list[Photo]:
        """Return the companions without a photo that were not reported before (`lonely.newly_lonely`)."""
        return newly_lonely(self._connection, parts)

    def holds(self, path: Path, identity: Identity) -> bool:
        """Tell whether a file of the inbox is held (`is_held`), by the thread that files."""
        return is_held(self._connection, path, identity)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._reopened_on_error(), Transaction(self._connection):
            yield

    @contextmanager
    def _reopened_on_error(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error:
            self._connection = self._reopened(self._connection)
            raise

    def _reopened(self, connection: sqlite3.Connection) -> sqlite3.Connection:
        """Open a ledger on a share again: on sshfs, a file that was open before its server came back may fail for ever.

        Only the thread that uses a connection may close it.
        """
        if not self.on_share:
            return connection
        with suppress(sqlite3.Error):
            connection.close()
        again = _connect(self.path)
        again.execute("PRAGMA synchronous = FULL")
        return again


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False)
