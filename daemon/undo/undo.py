"""Undo: choose photos and take them back, in one process at a time.

A daemon may run at the same time. The ledger records each photo before it moves, so the daemon leaves the returning
photo alone until it is changed, renamed, or released by `retry --undone`.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path

from common.errors import PhototriageError
from common.text import printable
from daemon.adopt import compare
from daemon.files.marker import MountMissingError
from daemon.filing.recovery import OnUnresolved, ignore
from daemon.ledger.ledger import Ledger
from daemon.ledger.movers import Mover, mover_lock
from daemon.ledger.queries import Record, RecordFilter, companions
from daemon.ledger.reader import photos, records
from daemon.ledger.reading import one_ledger, roots_of
from daemon.photo import Outcome
from daemon.process.sudo import as_caller
from daemon.undo.execute import TOGETHER, carry_out, finish
from daemon.undo.plan import Roots, Step, plan

Settle = Callable[[Ledger, Path, Mover, float, OnUnresolved], None]
"""Settles what other movers left when they were killed (daemon/startup_recovery.py)."""


class UndoError(PhototriageError):
    """Photos cannot be taken back now."""


def undo(
    inbox: Path | None,
    which: RecordFilter,
    last: int,
    becomes: Outcome,
    now_s: float,
    settle_others: Settle,
    on_unresolved: OnUnresolved = ignore,
) -> Iterator[list[Step]]:
    """Take photos back to their inbox, some at a time; yields for each photo the steps of it and its companions.

    No other process can take photos back until the last one is yielded.

    Args:
        inbox: whose photos; None if there is only one ledger.
        which: selects photos.
        last: how many of the selected photos, youngest first; negative for all.
        becomes: `undone` or `retried`.
        now_s: wall time for the outcomes.
        settle_others: called before photos move.
        on_unresolved: called with each interrupted intent that cannot be finished now.

    Raises:
        UndoError: another process takes photos back, or the work was interrupted.
        RootError: the mount of a root is away, or an unknown mount covers a root.
        LedgerError: there is no ledger, or it cannot be written.
    """
    path = one_ledger(inbox)
    with as_caller(path.parent), mover_lock(path.parent, Mover.UNDO) as free, writing(path) as ledger:
        if not free:
            raise UndoError("Another process takes photos back to this inbox now. Try again when it has finished.")
        try:
            check_roots(ledger)  # first: if a mount is away, its photos look as if they had been taken back
            settle_others(ledger, path.parent, Mover.UNDO, now_s, on_unresolved)
            finish(ledger, now_s, on_unresolved)
            yield from carry_out(ledger, plans(path, which, last, becomes), now_s, partial(obstacle_of, ledger))
        except (OSError, sqlite3.Error) as error:
            raise UndoError(
                f"Taking photos back was interrupted: {error}. No photo is lost. Fix this and run the command again."
            ) from error


def plans(ledger: Path, which: RecordFilter, last: int, becomes: Outcome) -> Iterator[list[Step]]:
    """Plan the undo of the selected photos, one after the other; nothing is touched.

    Args:
        ledger: its file.
        which: selects photos.
        last: how many of the selected photos, youngest first; negative for all.
        becomes: `undone` or `retried`.
    """
    promised: set[int] = set()
    inbox, output = roots_of(ledger)
    if inbox is None or output is None:
        return
    selected = photos(ledger, which, last, lambda connection, photo: (photo, companions(connection, photo.row)))
    for photo, parts in selected:
        yield plan(photo, parts, becomes, promised, Roots(inbox, output))


def release(inbox: Path | None, which: RecordFilter, last: int, *, dry_run: bool) -> Iterator[Record]:
    """Let the daemon file photos again that were taken back; yields the released ones.

    Args:
        inbox: whose photos; None if there is only one ledger.
        which: selects photos.
        last: how many of the selected photos, youngest first; negative for all.
        dry_run: only return them.
    """
    path = one_ledger(inbox)
    held = records(path, which, last)
    if dry_run:
        yield from held
        return
    with as_caller(path.parent), writing(path) as ledger:
        while some := list(islice(held, TOGETHER)):
            ledger.release(record.row for record in some)
            yield from some


def check_roots(ledger: Ledger) -> None:
    """Check that inbox and output are the folders that the ledger knows.

    Raises:
        UndoError: the inbox is missing.
        RootError: the mount of a root is away, or an unknown mount covers a root.
    """
    inbox, output = ledger.roots.get("inbox"), ledger.roots.get("output")
    if inbox is None or output is None:
        return  # no daemon ever adopted them: there is nothing to take back
    for role, root in (("inbox", inbox), ("output", output)):
        other = compare(role, root.path, root, ledger.roots)
        if other is not None and other.mounted:
            raise MountMissingError(
                f"Something is mounted over the {role} {printable(root.path)} that phototriage knows, so nothing is "
                "moved. Unmount it; or, if you want to use it, start `sort` or `watch` with it first."
            )
    if not inbox.path.is_dir():
        raise UndoError(f"The inbox {printable(inbox.path)} does not exist, so nothing is moved. Make it first.")


def obstacle_of(ledger: Ledger) -> str:
    """Return why nothing can be moved now, or an empty text: mounts may change meanwhile."""
    try:
        check_roots(ledger)
    except PhototriageError as error:
        return str(error)
    return ""


@contextmanager
def writing(path: Path) -> Iterator[Ledger]:
    """Hold a ledger open for the block."""
    ledger = Ledger(path)
    try:
        yield ledger
    finally:
        ledger.close()
