"""Looks at the outputs that this user's commands may look at, then shows what people said."""

from pathlib import Path

from daemon.commands.labels.overview import labels_in, overview_of
from daemon.commands.labels.show import print_json, print_tables
from daemon.labels.by_hand.writing import look_first, may_write, writing
from daemon.ledger.reading import find_ledgers
from daemon.process.clock import Clock


def show_all(inbox: Path | None, limit: int, *, as_json: bool) -> None:
    """Show each ledger.

    Args:
        inbox: the one whose ledger is shown; None for all.
        limit: labels per ledger; negative for all.
        as_json: whether to print JSON lines.
    """
    ledgers = find_ledgers(inbox)
    for ledger in ledgers:
        looked = _looked(ledger)
        overview, labels = overview_of(ledger), labels_in(ledger, limit)
        if as_json:
            print_json(overview, labels, looked)
        else:
            print_tables(overview, labels, looked, is_only=len(find_ledgers(None)) == 1)


def _looked(ledger: Path) -> str:
    """Look at the output of one ledger; returns why not, or an empty text."""
    if not may_write(ledger):
        return "this user may not write the ledger"
    with writing(ledger):
        return look_first(ledger, Clock().wall_s()).obstacle
