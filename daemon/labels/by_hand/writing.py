"""Opens a ledger to be written by a command about labels, while a daemon may write to it too, and looks first."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

from common.errors import PhototriageError
from common.text import printable
from daemon.labels.contents import OutputContents
from daemon.labels.listed.tree import EMPTY, Tree
from daemon.labels.looker import Looker
from daemon.labels.store.output_ledgers import other_ledgers
from daemon.ledger.errors import LedgerError, unusable
from daemon.ledger.ledger import Ledger
from daemon.ledger.recorded_roots import LedgerRoots
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


class FirstLook(NamedTuple):
    """What a command saw before it began.

    Attributes:
        obstacle: why the output could not be looked at; empty if it was.
        tree: the output as it was seen.
    """

    obstacle: str
    tree: Tree


def look_first(ledger: Path, now_s: float) -> FirstLook:
    """Look at the output of a ledger that may be written; what hinders the look is in the answer.

    Args:
        ledger: its file, of this version.
        now_s: wall time.
    """
    roots = LedgerRoots(ledger)
    output, inbox = roots.get("output"), roots.get("inbox")
    if output is None:
        return FirstLook("nothing was filed yet", EMPTY)
    left_out = [] if inbox is None else [inbox.path]
    looker = Looker(ledger, OutputContents(output.path), partial(other_ledgers, ledger), left_out)
    try:
        looked = looker.look(now_s)
        looker.keep()
    except (OSError, PhototriageError) as error:
        return FirstLook(f"the output cannot be read now ({error})", EMPTY)
    return FirstLook("another process looks at this moment" if looked is None else looked.obstacle, looker.tree)
