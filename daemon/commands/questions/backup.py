"""`phototriage history --backup FILE`: a consistent copy of the whole ledger, even while a daemon writes it."""

import os
import sqlite3
import uuid
from contextlib import suppress
from pathlib import Path

from common.errors import PhototriageError
from common.publish import sync_directory
from common.text import printable
from daemon.files.rename import rename_noreplace
from daemon.ledger.reader import ask_ledger
from daemon.ledger.reading import one_ledger


class BackupError(PhototriageError):
    """The backup cannot be written."""


def back_up(inbox: Path | None, target: Path) -> str:
    """Copy the ledger of an inbox, or the only ledger there is, to a new file; return a sentence about the copy.

    The copy is one file with the ledger's content at one moment. A running daemon is not delayed; what it commits
    during the copy is not included.

    Raises:
        LedgerError: there is no ledger, or more than one, or it cannot be read.
        BackupError: the target exists or cannot be written; no partial file is left.
    """
    ledger = one_ledger(inbox)
    temporary = target.with_name(f".{uuid.uuid4().hex}.part")
    try:
        rows = ask_ledger(ledger, lambda connection: _copied(connection, temporary, target))
        rename_noreplace(temporary, target)
        sync_directory(target.parent)
    except FileExistsError as error:
        raise BackupError(f"{printable(target)} exists already. Name a new file.") from error
    except OSError as error:
        raise _unwritable(target, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink()
    return f"Copied {printable(ledger)} ({rows:,} rows) to {printable(target)}."


def _unwritable(target: Path, error: OSError | sqlite3.Error) -> BackupError:
    return BackupError(f"The backup {printable(target)} cannot be written: {error}")


def _copied(connection: sqlite3.Connection, temporary: Path, target: Path) -> int:
    """Copy the ledger and return how many rows it has."""
    (rows,) = connection.execute("SELECT count(*) FROM photos").fetchone()
    try:
        _copy(connection, temporary)
    except (OSError, sqlite3.Error) as error:
        raise _unwritable(target, error) from error
    return int(rows)


def _copy(connection: sqlite3.Connection, temporary: Path) -> None:
    temporary.unlink(missing_ok=True)  # the ledger was written during the first copy
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    copy = sqlite3.connect(temporary, isolation_level=None)
    try:
        connection.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")  # one file, without a write-ahead log beside it
    finally:
        copy.close()
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
