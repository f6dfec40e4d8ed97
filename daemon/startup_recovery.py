"""Completes or forgets what the last run left; what cannot be checked now stays open and never ends the start."""

from collections.abc import Callable
from pathlib import Path

from common.text import printable
from daemon.filing.recovery import reconcile
from daemon.filing.unresolved import UnresolvedMoves, unfinished
from daemon.ledger.intent import Intent
from daemon.ledger.ledger import Ledger
from daemon.undo.undo import finish_at_start


def recover(ledger: Ledger, state: Path, now_s: float, unresolved: UnresolvedMoves, say: Callable[[str], None]) -> None:
    """Resolve what a crash interrupted.

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
    finish_at_start(ledger, state, now_s, left)
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
