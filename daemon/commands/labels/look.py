"""Looks at the outputs that this user's commands may look at, then shows what people said."""

from pathlib import Path

from daemon.commands.labels.first_look import FirstLook, look_first
from daemon.commands.labels.overview import labels_in, overview_of
from daemon.commands.labels.show import print_json, print_tables
from daemon.labels.by_hand.writing import may_write, writing
from daemon.labels.listed.tree import EMPTY
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
        overview, labels = overview_of(ledger, _seen(ledger)), labels_in(ledger, limit)
        if as_json:
            print_json(overview, labels)
        else:
            print_tables(overview, labels, is_only=len(find_ledgers(None)) == 1)


def _seen(ledger: Path) -> FirstLook:
    if not may_write(ledger):
        return FirstLook("this user may not write the ledger", EMPTY)
    with writing(ledger):
        return look_first(ledger, Clock().wall_s())
