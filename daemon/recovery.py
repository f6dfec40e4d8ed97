"""After a crash: finish what was begun, or forget it, by looking at both places of every open intent.

Only a file that matches what the intent says - device, inode, size and time, or content - is called finished or
removed; a new file under an old name is left alone.
"""

from pathlib import Path

from daemon.filing import sha256_of, sync_file, temporary_beside
from daemon.ledger import Intent, Ledger
from daemon.photo import Identity, Outcome
from daemon.scan import look_at


def reconcile(ledger: Ledger, now_s: float) -> dict[Path, Outcome | None]:
    """Settle every open intent.

    Args:
        ledger: of the inbox.
        now_s: wall time for the outcomes.

    Returns:
        By source, what became of each: an outcome, or None if nothing had been moved and it lies in the inbox.
    """
    outcomes, told = {}, {}
    for row, intent in ledger.open_intents().items():
        outcomes[row] = told[intent.source] = _settle(intent)
    if outcomes:
        ledger.conclude(outcomes, now_s)
    return told


def _settle(intent: Intent) -> Outcome | None:
    source, target = look_at(intent.source), look_at(intent.destination)
    temporary = temporary_beside(intent.destination)
    if look_at(temporary) is not None:
        temporary.unlink()  # a copy across file systems that was not published; its name is ours alone
    source_is_it = source == intent.identity
    if target is None or not _is_it(intent.destination, target, intent):
        return None if source_is_it or source is not None else Outcome.GONE
    if source_is_it:
        intent.source.unlink()  # published, but the original was not yet removed
    sync_file(intent.destination)
    return intent.becomes


def _is_it(path: Path, identity: Identity, intent: Intent) -> bool:
    """Tell whether the file at the destination is the intended one: the same inode, or a copy of equal content."""
    if identity == intent.identity:
        return True
    if identity.size != intent.identity.size or not intent.sha256:
        return False
    return sha256_of(path) == intent.sha256
