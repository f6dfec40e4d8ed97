"""Refile: judge what is filed with the model in use, then move what belongs elsewhere, as one batch that can be undone.

A daemon may file at the same time, and people may move photos. Each photo is looked at once more immediately before it
moves. What changed since it was judged stays.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

from common.errors import PhototriageError
from daemon.filing.recovery import OnUnresolved, ignore
from daemon.labels.store.description import layout_in
from daemon.ledger.ledger import Ledger
from daemon.ledger.movers import Mover, mover_lock
from daemon.ledger.queries import RECORDS, Record, companions, record_of
from daemon.ledger.reader import ask_ledger
from daemon.ledger.reading import roots_of
from daemon.refile.plan import Proposal, plan
from daemon.undo.execute import TOGETHER, carry_out, finish
from daemon.undo.plan import Roots, Step
from daemon.undo.undo import check_roots, obstacle_of, writing

MOST, MOST_SHARE = 200, 0.05
"""If the model would move more photos, or a larger share of what is filed, a person has to ask for all."""
Settle = Callable[[Ledger, Path, Mover, float, OnUnresolved], None]


class RefileError(PhototriageError):
    """Photos cannot be refiled now."""


@dataclass(frozen=True, slots=True)
class Refiled:
    """One batch.

    Attributes:
        batch: its number; `undo --batch` takes it back.
        steps: the moves of each photo and its companions, as they are done.
    """

    batch: int
    steps: Iterator[list[Step]]


def is_much(count: int, filed: int) -> bool:
    """Tell whether so many moves need a word of the user.

    Args:
        count: photos that the model would move.
        filed: photos in the output.
    """
    return count > MOST or count > MOST_SHARE * filed


def plans(ledger: Path, proposals: Iterator[Proposal]) -> Iterator[list[Step]]:
    """Plan the moves, one photo after the other; nothing is touched.

    Args:
        ledger: its file.
        proposals: where photos belong.
    """
    inbox, output = roots_of(ledger)
    if inbox is None or output is None:
        return
    layout = ask_ledger(ledger, layout_in)
    promised: set[int] = set()
    while some := list(islice(proposals, TOGETHER)):
        found = ask_ledger(ledger, partial(_records, rows=[proposal.row for proposal in some]))
        for proposal in some:
            if proposal.row in found:  # else it was taken back meanwhile
                yield plan(*found[proposal.row], proposal, layout, Roots(inbox, output), promised)


@contextmanager
def refiling(
    ledger_file: Path,
    proposals: Iterator[Proposal],
    now_s: float,
    settle_others: Settle,
    on_unresolved: OnUnresolved = ignore,
) -> Iterator[Refiled]:
    """Move photos to their classes, as the steps are taken in the block; no other process refiles them meanwhile.

    Args:
        ledger_file: its file.
        proposals: where photos belong.
        now_s: wall time for the outcomes.
        settle_others: called before photos move.
        on_unresolved: called with each interrupted intent that cannot be finished now.

    Raises:
        RefileError: another process refiles photos, or the work was interrupted.
        RootError: the mount of a root is away, or an unknown mount covers a root.
        LedgerError: the ledger cannot be written.
    """
    state = ledger_file.parent
    with mover_lock(state, Mover.REFILE) as free, writing(ledger_file) as ledger:
        if not free:
            raise RefileError("Another process refiles photos of this inbox now. Try again when it has finished.")
        try:
            check_roots(ledger)
            settle_others(ledger, state, Mover.REFILE, now_s, on_unresolved)
            finish(ledger, now_s, on_unresolved, Mover.REFILE)
            batch = ledger.new_batch()
            groups = plans(ledger_file, proposals)
            yield Refiled(batch, carry_out(ledger, groups, now_s, partial(obstacle_of, ledger), batch))
        except (OSError, sqlite3.Error) as error:
            raise RefileError(
                f"Refiling was interrupted: {error}. No photo is lost. Fix this and run the command again."
            ) from error


def _records(connection: sqlite3.Connection, rows: list[int]) -> dict[int, tuple[Record, list[Record]]]:
    """Return the photos of these rows that are still in the output, and their companions."""
    marks = ", ".join("?" * len(rows))
    asked = connection.execute(f"{RECORDS} WHERE id IN ({marks}) AND NOT taken_back", rows)
    found = [record_of(row) for row in asked]
    return {record.row: (record, companions(connection, record.row)) for record in found}
