"""Which ledgers file into the same output: known by the id in its marker."""

from contextlib import suppress
from pathlib import Path

from common.errors import PhototriageError
from daemon.ledger.reader import reader
from daemon.ledger.reading import find_ledgers


def other_ledgers(ledger: Path) -> list[Path]:
    """Return the other ledgers of a ledger's output that this user can read."""
    marker = _output_of(ledger)
    with suppress(PhototriageError):
        return [path for path in find_ledgers(None) if path != ledger and marker and _output_of(path) == marker]
    return []


def _output_of(ledger: Path) -> str:
    """Return the id of the output that was adopted last; empty if there is none, or it cannot be read."""
    query = "SELECT marker FROM roots WHERE role = 'output'"
    with suppress(PhototriageError), reader(ledger, oldest=1) as one:
        row = one.ask(lambda connection: connection.execute(query).fetchone())
        return "" if row is None else str(row[0])
    return ""
