"""`phototriage history --backup FILE`: a whole copy of the ledger, also while a daemon writes it."""

import os
import sqlite3
import uuid
from contextlib import suppress
from pathlib import Path

from contract.errors import PhototriageError
from contract.publish import sync_directory
from contract.text import printable
from daemon.files.rename import rename_noreplace
from daemon.ledger.reading import one_ledger, reading


class BackupError(PhototriageError):
    """The copy cannot be written."""


def back_up(inbox: Path | None, target: Path) -> str:
    """Copy the ledger of an inbox, or the only one there is, to a new file; returns the sentence about it.

    The copy is one file, of one moment: a daemon at work is not held up, and what it commits meanwhile is not in it.

    Raises:
        LedgerError: there is no ledger, or more than one, or it cannot be read.
        BackupError: the target exists or cannot be written; no rest is left.
    """
    ledger = one_ledger(inbox)
    temporary = target.with_name(f".{uuid.uuid4().hex}.part")
    with reading(ledger) as connection:
        try:
            _copy(connection, temporary)
            rename_noreplace(temporary, target)
            sync_directory(target.parent)
        except FileExistsError as error:
            raise BackupError(f"{printable(target)} exists. Name a new file.") from error
        except (OSError, sqlite3.Error) as error:
            raise BackupError(f"The backup {printable(target)} cannot be written: {error}") from error
        finally:
            with suppress(OSError):
                temporary.unlink()
        (rows,) = connection.execute("SELECT count(*) FROM photos").fetchone()
    return f"{printable(ledger)}, {rows:,} rows, was copied to {printable(target)}."


def _copy(connection: sqlite3.Connection, temporary: Path) -> None:
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    copy = sqlite3.connect(temporary, isolation_level=None)
    try:
        connection.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it
    finally:
        copy.close()
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
