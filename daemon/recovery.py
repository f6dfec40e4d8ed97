"""After a crash: finish what was begun, or forget it, by looking at both places of every open intent.

Only a file that matches what the intent says - device, inode, size and time, or content - is called finished or
removed; a new file under an old name is left alone.
"""

import stat
from pathlib import Path

from contract.errors import PhototriageError
from contract.publish import sync_directory
from contract.text import printable
from daemon.filing import sha256_of, sync_file, temporary_beside
from daemon.ledger import Intent, Ledger
from daemon.photo import Identity, Outcome


class RecoveryError(PhototriageError):
    """What a crash interrupted cannot be finished now."""


def reconcile(ledger: Ledger, now_s: float) -> dict[Path, Outcome | None]:
    """Settle every open intent.

    Args:
        ledger: of the inbox.
        now_s: wall time for the outcomes.

    Returns:
        By source, what became of each: an outcome, or None if nothing had been moved and it lies in the inbox.

    Raises:
        RecoveryError: one of the two places cannot be looked at or written now. Nothing is guessed: the intents stay.
    """
    outcomes, told = {}, {}
    for row, intent in ledger.open_intents().items():
        try:
            outcomes[row] = told[intent.source] = _settle(intent)
        except OSError as error:
            raise RecoveryError(
                f"The last run was cut off while it moved {printable(intent.source)} to "
                f"{printable(intent.destination)}, and that cannot be finished now: {error}. "
                "Make both folders readable and writable, then start again."
            ) from error
    if outcomes:
        ledger.conclude(outcomes, now_s)
    return told


def _settle(intent: Intent) -> Outcome | None:
    source, target = _look_at(intent.source), _look_at(intent.destination)
    temporary = temporary_beside(intent.destination, intent.source, intent.identity)
    if _look_at(temporary) is not None:
        temporary.unlink()  # a copy across file systems that was not published; its name is ours alone
    source_is_it = source == intent.identity
    if target is None or not _is_it(target, intent, source_is_it=source_is_it):
        return None if source is not None else Outcome.GONE
    sync_file(intent.destination)
    sync_directory(intent.destination.parent)
    if source_is_it:
        intent.source.unlink()  # published and durable, but the original was not yet removed
    if intent.source.parent.is_dir():
        sync_directory(intent.source.parent)
    return intent.becomes


def _look_at(path: Path) -> Identity | None:
    """Look at a file; unlike a scan, take only "it is not there" for its absence, and no trouble on the way to it."""
    try:
        status = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return Identity.of(status) if stat.S_ISREG(status.st_mode) else None


def _is_it(target: Identity, intent: Intent, *, source_is_it: bool) -> bool:
    """Tell whether the file at the destination is the intended one: the same inode, or a copy of equal content."""
    if target == intent.identity:
        return True
    if target.size != intent.identity.size:
        return False
    if intent.sha256:
        return sha256_of(intent.destination) == intent.sha256
    if source_is_it:  # too large to have been read, so its hash is taken now
        return sha256_of(intent.destination) == sha256_of(intent.source)
    return target.mtime_ns == intent.identity.mtime_ns
