"""Which ledger a command about labels means, if several are there."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

from common.text import printable
from daemon.labels.by_hand.errors import LabelError
from daemon.labels.by_hand.subject import NamedFile, filed
from daemon.ledger.reader import ask_ledger
from daemon.ledger.reading import find_ledgers, one_ledger


def ledger_of(inbox: Path | None, named: NamedFile) -> Path:
    """Return the ledger that knows a photo, or the only one there is.

    Raises:
        LedgerError: there is none, or several may be meant.
    """
    ledgers = find_ledgers(inbox)
    if len(ledgers) == 1:
        return ledgers[0]
    found = [(path, ask_ledger(path, lambda connection: filed(connection, named))) for path in ledgers]
    known = [(path, subject) for path, subject in found if subject is not None]
    exact = [path for path, subject in known if subject.path == named.path] or [path for path, _ in known]
    return exact[0] if len(exact) == 1 else one_ledger(inbox)


def ledger_with(inbox: Path | None, has: Callable[[sqlite3.Connection], bool], what: str) -> Path:
    """Return the ledger that has a numbered thing.

    Args:
        inbox: of the ledger; None for any.
        has: tells whether a ledger has it.
        what: it is, such as `question 3`.

    Raises:
        LabelError: none has it, or several have.
    """
    found = [path for path in find_ledgers(inbox) if ask_ledger(path, has)]
    if not found:
        raise LabelError(f"There is no {what}. `phototriage labels` shows what there is, with numbers.")
    if len(found) > 1:
        where = ", ".join(printable(path.parent) for path in found)
        raise LabelError(f"Several ledgers have a {what}: {where}. Choose one with --inbox.")
    return found[0]
