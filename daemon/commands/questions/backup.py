"""`phototriage history --backup FILE`: a consistent copy of the ledger and the embeddings, while a daemon may write."""

import os
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from common.errors import PhototriageError
from common.publish import sync_directory
from common.text import printable
from daemon.files.rename import rename_noreplace
from daemon.ledger.embeddings import EMBEDDINGS, copy_embeddings, may_read_embeddings
from daemon.ledger.reader import ask_ledger
from daemon.ledger.reading import one_ledger


class BackupError(PhototriageError):
    """The backup cannot be written."""


def back_up(inbox: Path | None, target: Path, service: str | None = None) -> str:
    """Copy the ledger of an inbox or a service, or the only one there is, to a new file; return a sentence about it.

    The copy is one file with the ledger's content at one moment. A running daemon is not delayed; what it commits
    during the copy is not included. Embeddings go to a second file beside it, if there are any.

    Raises:
        LedgerError: there is no ledger, or more than one, or it cannot be read.
        BackupError: a target exists or cannot be written; no partial file is left.
    """
    ledger, second = one_ledger(inbox, service), target.with_name(f"{target.name}.{EMBEDDINGS}")
    if os.path.lexists(second):
        raise _taken(second)
    with _published(target) as temporary:
        rows = ask_ledger(ledger, lambda connection: _copied(connection, temporary, target))
    said = f"Copied {printable(ledger)} ({rows:,} rows) to {printable(target)}"
    if not may_read_embeddings(ledger.parent):
        return f"{said}, without the embeddings beside it, which this user may not read."
    with _published(second) as temporary:
        embeddings = _embeddings_copied(ledger.parent, temporary)
    return f"{said}{f', and {embeddings:,} embeddings to {printable(second)}' if embeddings else ''}."


@contextmanager
def _published(target: Path) -> Iterator[Path]:
    """Yield a temporary path; the file that is made there, if any, then gets the name of the target."""
    temporary = target.with_name(f".{uuid.uuid4().hex}.part")
    try:
        yield temporary
        if temporary.exists():
            rename_noreplace(temporary, target)
            sync_directory(target.parent)
    except FileExistsError as error:
        raise _taken(target) from error
    except OSError as error:
        raise _unwritable(target, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def _embeddings_copied(state: Path, temporary: Path) -> int:
    with _created(temporary) as file:
        copied = copy_embeddings(state, file)
        file.flush()
        os.fsync(file.fileno())
    if not copied:
        temporary.unlink()
    return copied


def _created(path: Path) -> IO[bytes]:
    return os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600), "wb")


def _taken(target: Path) -> BackupError:
    return BackupError(f"{printable(target)} exists already. Name a new file.")


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
    _created(temporary).close()
    copy = sqlite3.connect(temporary, isolation_level=None)
    try:
        connection.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")  # one file, without a write-ahead log beside it
    finally:
        copy.close()
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
