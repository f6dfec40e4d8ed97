"""After a crash: finish what was begun, or forget it, by looking at both places of every open intent.

An intent whose places cannot be looked at now stays open, and holds up nothing but its own photo.

Only a file that matches what the intent says - device, inode, size and time, or content - is called finished; a new
file under an old name is left alone. An original is removed only where photos are moved, and only if the file at the
destination is the same one or a copy made by us, which has its time too: a stranger's file of equal content is not.
"""

import stat
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

from daemon.beneath import pinned
from daemon.extents import same_content
from daemon.filing import former_temporary_beside, sync_file, sync_folder, temporary_beside
from daemon.intent import Intent
from daemon.ledger import Ledger
from daemon.limits import REFUSED
from daemon.photo import Identity, Mode, Outcome
from daemon.same import is_on_share, is_same_file, sha256_of
from daemon.why import write_why

SAME_TIME_NS = 2_000_000_000
"""A copy's time may differ by so much from its original's: cards and sticks keep it to two seconds."""


Unseen = Callable[[int, Intent, OSError], None]
"""Takes the row of an intent that stays open, the intent, and why its places cannot be looked at or written."""


def ignored(*_: object) -> None:
    """Let intents that cannot be settled stay open, without a word."""


def reconcile(ledger: Ledger, now_s: float, unseen: Unseen = ignored) -> dict[Path, Outcome | None]:
    """Settle every open intent that can be settled now.

    Args:
        ledger: of the inbox.
        now_s: wall time for the outcomes.
        unseen: called with each of the others, about which nothing is guessed: they stay open.

    Returns:
        By source, what became of each: an outcome, or None if nothing had been moved and it lies in the inbox.
    """
    outcomes, told = {}, {}
    for row, intent in ledger.open_intents().items():
        try:
            outcomes[row] = told[intent.source] = settle(intent)
        except OSError as error:
            unseen(row, intent, error)
    if outcomes:
        ledger.conclude(outcomes, now_s)
    return told


def settle(intent: Intent) -> Outcome | None:
    """Finish one intent or forget it: returns what became of the photo, None if nothing had been done.

    Raises:
        OSError: one of the two places cannot be looked at or written now.
    """
    source = _look_at(intent.source)
    names = (intent.destination, intent.source, intent.identity)
    copies = {path: _look_at(path) for path in (temporary_beside(*names), former_temporary_beside(*names))}
    parts = [(path, copy) for path, copy in copies.items() if copy is not None]
    published = all(_is_linked(copy, intent) for _, copy in parts) and _is_there(
        intent, source_is_it=source == intent.identity
    )
    for temporary, _ in parts:
        temporary.unlink()  # its name is ours alone
    if not published:
        return None if source is not None else Outcome.GONE
    if intent.mode is not Mode.SYMLINK:
        sync_file(intent.destination)
    if intent.becomes is Outcome.FAILED and intent.part_of is None:
        with suppress(OSError):  # the reason stands in the ledger too
            write_why(intent.destination, intent.source.name, intent.reason)
    sync_folder(intent.destination.parent)
    if intent.mode is Mode.MOVE:
        _finish_move(intent)
    return intent.becomes


def _finish_move(intent: Intent) -> None:
    """Remove the original if that was not done yet, and make its going durable.

    It is looked at anew: hashing and syncing took their time, and another may have its name by now.
    """
    with ExitStack() as stack:
        folder = intent.source.parent
        if intent.undoes is None:  # in the inbox, where a folder may be swapped for a link at any moment
            try:
                folder = stack.enter_context(pinned(Path("/"), folder.relative_to("/")))
            except (FileNotFoundError, NotADirectoryError):
                return  # it went with its folder; what lies behind a link is none of ours
        source = folder / intent.source.name
        if is_same_file(source, _look_at(source), intent.identity, intent.sha256):
            source.unlink(missing_ok=True)
        if folder.is_dir():
            sync_folder(folder)


def _look_at(path: Path) -> Identity | None:
    """Look at a file; unlike a scan, take no trouble on the way to it for its absence.

    A name that the file system cannot hold is no file's, so nothing was ever published or copied there.
    """
    try:
        status = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno in REFUSED:
            return None
        raise
    return Identity.of(status) if stat.S_ISREG(status.st_mode) else None


def _is_linked(copy: Identity, intent: Intent) -> bool:
    """Tell whether a copy that still has its hidden name may have been published: by a link, for want of a rename.

    On a share numbers of files tell nothing, as those of two names of one file differ there.
    """
    target = _look_at(intent.destination)
    same = target is not None and (target.device, target.inode) == (copy.device, copy.inode)
    return same or is_on_share(intent.destination.parent)


def _is_there(intent: Intent, *, source_is_it: bool) -> bool:
    """Tell whether the file at the destination is the intended one: a link to it, or a copy of equal content."""
    if intent.mode is Mode.SYMLINK:
        with suppress(OSError):
            return intent.destination.readlink() == intent.source
        return False
    target = _look_at(intent.destination)
    if target == intent.identity:
        return True
    if target is None or target.size != intent.identity.size or intent.mode is Mode.HARDLINK:
        return False
    same_time = abs(target.mtime_ns - intent.identity.mtime_ns) < SAME_TIME_NS
    if source_is_it and not same_time:
        return False
    if intent.sha256:
        return sha256_of(intent.destination) == intent.sha256
    if source_is_it:  # a companion has no hash
        return same_content(intent.destination, intent.source)
    return same_time
