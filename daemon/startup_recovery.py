"""Settles what killed movers left, when a mover starts; what cannot be checked now stays open and never ends the start.

A mover settles its own rows, because it holds the lock of its kind. Rows of another mover are settled only while the
lock of that kind is free: otherwise a process is moving these files just now.
"""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from common.text import printable
from daemon.filing.recovery import OnUnresolved, reconcile
from daemon.filing.unresolved import UnresolvedMoves, unfinished
from daemon.intake.filters import PathFilter
from daemon.intake.walk import scan
from daemon.ledger.intent import Intent
from daemon.ledger.ledger import Ledger
from daemon.ledger.movers import Mover, mover_lock
from daemon.process.sudo import as_owner
from daemon.undo.execute import finish


def _finish_filing(ledger: Ledger, now_s: float, on_unresolved: OnUnresolved) -> None:
    """Resolve the daemon's rows without its settings: a renamed original is looked for in all folders of the inbox."""
    inbox, output = ledger.roots.get("inbox"), ledger.roots.get("output")
    if inbox is not None and output is not None:
        path_filter = PathFilter(inbox.path, recursive=True, left_out=[output.path])
        reconcile(ledger, now_s, on_unresolved, partial(scan, path_filter))


SETTLERS: Mapping[Mover, Callable[[Ledger, float, OnUnresolved], object]] = {
    Mover.UNDO: finish,
    Mover.REFILE: partial(finish, mover=Mover.REFILE),
    Mover.DAEMON: _finish_filing,
}
"""What settles the rows of each mover; the caller holds its lock."""


def settle_others(ledger: Ledger, state: Path, starts: Mover, now_s: float, on_unresolved: OnUnresolved) -> None:
    """Settle what the other movers left when they were killed; a running one is not disturbed.

    Root does it as the owner of the ledger, whose rows say which files are moved.

    Args:
        ledger: of the inbox.
        state: folder of the ledger.
        starts: the mover that starts, and settles its own rows itself.
        now_s: wall time for the outcomes.
        on_unresolved: called with each intent that cannot be finished now; it stays open.
    """
    for mover, settle in SETTLERS.items():
        if mover is starts or not ledger.open_intents(mover):
            continue
        with mover_lock(state, mover) as free, as_owner(state):
            if free:
                settle(ledger, now_s, on_unresolved)


def recover(ledger: Ledger, state: Path, now_s: float, unresolved: UnresolvedMoves, say: Callable[[str], None]) -> None:
    """Resolve what a crash interrupted, when a daemon starts.

    Args:
        ledger: of the inbox.
        state: folder of the ledger.
        now_s: wall time for the outcomes.
        unresolved: takes intents whose places cannot be checked now; their photos wait, all others are filed.
        say: takes a sentence for the user.
    """
    stuck: list[str] = []

    def left(_: int, intent: Intent, error: OSError) -> None:
        stuck.append(f"{printable(intent.source.name)}: {unfinished(intent, error)}")

    def doubted(row: int, intent: Intent, error: OSError) -> None:
        left(row, intent, error)
        unresolved.add(row, intent, error)

    if ledger.on_share:
        say(
            f"the ledger {printable(ledger.path)} lies on a share, so it is written without a write-ahead log: slower, "
            "and only one machine at a time may use it. For a local ledger, set XDG_STATE_HOME to a folder on a disk"
        )
    settle_others(ledger, state, Mover.DAEMON, now_s, left)
    outcomes = reconcile(ledger, now_s, doubted, unresolved.paths)
    moved = sum(outcome is not None for outcome in outcomes.values())
    if outcomes:
        say(f"the last run was interrupted: it had moved {moved} of {len(outcomes)} photos that it was filing")
    if stuck:
        say(
            f"the last run was interrupted, and {len(stuck)} of its files cannot be checked now. They wait; all other "
            f"photos are filed. The first is {stuck[0]}. Mount what is missing, and make inbox and output readable "
            "and writable; phototriage retries by itself"
        )
