"""Recovery after a crash: check both places of every open intent, then finish the move or forget it.

An intent whose places cannot be checked now stays open; it delays only its own photo.

A move counts as done only if the file matches the intent: device, inode, size and time, or content. A new file under
an old name is left alone. An original is removed only in mode `move`, and only if the file at the destination is the
same file, or our copy, which still has its hidden name. A file of equal content and time without that name may belong
to another program. On a file system without hard links a copy keeps no hidden name, so content and time must suffice.
"""

import errno
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

from daemon.files.confined import open_folder
from daemon.files.identity import is_same_file
from daemon.files.mounts import is_mounted
from daemon.files.probe import has_links
from daemon.files.sync import sync_file, sync_folder
from daemon.filing.companions.replaced import put_back
from daemon.filing.failure_note import write_failure_note
from daemon.filing.originals import Find, Originals, Paths, nowhere
from daemon.filing.proof import hidden_of, is_equal, is_published, look_for
from daemon.filing.withdraw_copy import may_still_grow, withdraw_copy
from daemon.ledger.intent import Intent
from daemon.ledger.leaving import hidden_original
from daemon.ledger.ledger import Ledger
from daemon.ledger.movers import Mover
from daemon.photo import Mode, Outcome

OnUnresolved = Callable[[int, Intent, OSError], None]
"""Called with the row of an intent that stays open, the intent, and the error of checking or writing its places."""


def ignore(*_: object) -> None:
    """Report nothing about intents that stay open."""


def reconcile(
    ledger: Ledger, now_s: float, on_unresolved: OnUnresolved = ignore, paths: Paths = tuple
) -> dict[Path, Outcome | None]:
    """Resolve every open intent of the daemon whose places can be checked now; the caller holds the lock.

    Args:
        ledger: of the inbox.
        now_s: wall time for the outcomes.
        on_unresolved: called with each of the other intents; these stay open, because nothing is guessed.
        paths: yields the files of the inbox: the owner may have renamed an original since.

    Returns:
        By source, the outcome of each intent; None if nothing had been moved and the photo lies in the inbox.
    """
    outcomes, by_source = {}, {}
    intents = ledger.open_intents(Mover.DAEMON)
    originals = Originals(paths, intents.values())
    for row, intent in intents.items():
        try:
            outcomes[row] = by_source[intent.source] = resolve(intent, originals.find)
        except OSError as error:
            on_unresolved(row, intent, error)
    if outcomes:
        ledger.conclude(outcomes, now_s)
    remove_hidden_names(ledger.concluded_last())
    return by_source


def resolve(intent: Intent, find: Find = nowhere) -> Outcome | None:
    """Finish one intent or forget it; returns the outcome, or None if nothing had been done.

    A sidecar that was to be replaced gets its name back if the new one was not filed. A copy keeps its hidden name, the
    proof that it is ours, until the outcome is in the ledger. Then call `remove_hidden_names`.

    Args:
        intent: the planned move.
        find: returns where the original may lie if it was renamed.

    Raises:
        OSError: one of the two places cannot be checked or written now, or the mount of the original is away.
    """
    outcome = _resolve(intent, find)
    if outcome is not intent.becomes:
        put_back(intent)
    return outcome


def _resolve(intent: Intent, find: Find) -> Outcome | None:
    original = _original(intent)
    source = look_for(original)
    stays = is_same_file(original, source, intent.identity, intent.sha256)
    hidden = hidden_of(intent)
    published = is_published(replace(intent, source=original), hidden, stays=stays)
    # Killed between the copy and the removal of its original: both exist, and a program may still write to the
    # original. Removing the original would lose that data, so the copy is withdrawn.
    if original != intent.source or (published and stays and may_still_grow(intent)):
        withdraw_copy(intent, original, hidden, published=published)
        return None
    away = not stays and intent.mount is not None and not is_mounted(intent.mount)
    if not published:
        if look_for(hidden) is not None:
            hidden.unlink()  # no other program uses this name
        # Under a mount that is away nothing proves that the photo is gone: forget the intent, the scan finds it again.
        return None if source is not None or away else Outcome.GONE
    found = None if stays or intent.mode is not Mode.MOVE else _renamed(intent, hidden, find)
    # The copy is filed and the mount of its original is away. If this counted as filed, the original would return with
    # the mount and be filed twice, so the intent stays open until then.
    if found is None and away and intent.mode is Mode.MOVE:
        raise OSError(errno.ENXIO, "nothing is mounted there now", str(intent.mount))
    if intent.mode is not Mode.SYMLINK:
        sync_file(intent.destination)
    if intent.becomes is Outcome.FAILED and intent.part_of is None:
        with suppress(OSError):  # the ledger holds the reason too
            write_failure_note(intent.destination, intent.source.name, intent.reason)
    sync_folder(intent.destination.parent)
    if intent.mode is Mode.MOVE:
        _finish_move(intent, found or intent.source)
    return intent.becomes


def _renamed(intent: Intent, hidden: Path, find: Find) -> Path | None:
    """Return where the original of a published copy lies, if it was renamed and not removed."""
    if intent.undoes is not None or (look_for(hidden) is None and has_links(hidden.parent)):
        return None
    found = find(intent)
    if found is None or not is_same_file(found, look_for(found), intent.identity, intent.sha256):
        return None
    return found if is_equal(found, intent) else None


def remove_hidden_names(intents: Iterable[Intent]) -> None:
    """Remove the hidden names of copies whose outcome is in the ledger; a name that cannot be removed stays."""
    for intent in intents:
        remove_hidden_name(intent)


def remove_hidden_name(intent: Intent) -> None:
    """Remove the hidden name of a copy whose outcome is in the ledger; a name that cannot be removed stays."""
    if intent.mode not in (Mode.MOVE, Mode.COPY):
        return
    with suppress(OSError), ExitStack() as stack:
        hidden = hidden_of(intent)
        if intent.undoes is not None:  # in the inbox anybody may replace a folder by a link at any moment
            folder = stack.enter_context(open_folder(Path("/"), hidden.parent.relative_to("/")))
            hidden = folder / hidden.name
        hidden.unlink(missing_ok=True)


def _original(intent: Intent) -> Path:
    """Return the path of the original: its hidden name if it has one after a copy, otherwise its own name."""
    hidden = hidden_original(intent.source, intent.identity)
    return hidden if intent.mode is Mode.MOVE and look_for(hidden) is not None else intent.source


def _finish_move(intent: Intent, original: Path) -> None:
    """Remove the original if it is still there, and sync its folder.

    The original is checked once more: hashing and syncing took time, and another file may have its name by now.
    """
    with ExitStack() as stack:
        folder = original.parent
        if intent.undoes is None:  # in the inbox anybody may replace a folder by a link at any moment
            try:
                folder = stack.enter_context(open_folder(Path("/"), folder.relative_to("/")))
            except (FileNotFoundError, NotADirectoryError):
                return  # the folder was removed with it, or replaced by a link, which is not followed
        source = folder / original.name
        if is_same_file(source, look_for(source), intent.identity, intent.sha256) and is_equal(source, intent):
            source.unlink(missing_ok=True)
        if folder.is_dir():
            sync_folder(folder)
