"""Opens a ledger to be written by a command about labels, while a daemon may write to it too."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from common.text import printable
from daemon.ledger.errors import LedgerError, unusable
from daemon.ledger.ledger import Ledger
from daemon.process.sudo import as_owner

BUSY_S = 30.0
"""How long to wait while another process writes: a daemon that files holds the ledger for milliseconds."""


def may_write(ledger: Path) -> bool:
    """Tell whether this user may write a ledger, and make files beside it."""
    return all(os.access(path, os.W_OK, effective_ids=True) for path in (ledger, ledger.parent))


@contextmanager
def opened(ledger: Path) -> Iterator[sqlite3.Connection]:
    """Yield a connection in autocommit mode to a ledger of this version.

    Raises:
        LedgerError: this user may not write it, or it cannot be written now.
    """
    if not may_write(ledger):
        raise LedgerError(
            f"This user may not write the ledger {printable(ledger)}. Run the command as the owner of that file, or "
            "with sudo for the ledger of a service."
        )
    try:
        Ledger(ledger).close()  # checks it, and brings it to this version
        with closing(sqlite3.connect(ledger, timeout=BUSY_S, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous = FULL")
            yield connection
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_BUSY:
            raise LedgerError(f"Another process writes to the ledger {printable(ledger)}. Try again.") from error
        raise unusable(ledger, error) from error


@contextmanager
def writing(ledger: Path) -> Iterator[sqlite3.Connection]:
    """Yield a connection as `opened` does; root works as the owner of the ledger's folder meanwhile.

    So nothing there becomes root's. Read files that a person named before.
    """
    with as_owner(ledger.parent), opened(ledger) as connection:
        yield connection
