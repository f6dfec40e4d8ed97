"""After a crash: finish what was begun, or forget it, by looking at both places of every open intent.

An intent whose places cannot be looked at now stays open, and holds up nothing but its own photo.

Only a file that matches what the intent says - device, inode, size and time, or content - is called finished; a new
file under an old name is left alone. An original is removed only where photos are moved, and only if the file at the
destination is the same one, or a copy made by us that still has its hidden name too: a stranger's of equal content and
time is not. Where the file system has no hard links, a copy keeps no such name, and its content and time must do.
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
from daemon.filing.failure_note import write_failure_note
from daemon.filing.originals import Find, Originals, Paths, nowhere
from daemon.filing.proof import hidden_of, is_equal, is_published, look_for
from daemon.filing.uncopy import may_go_on, take_back
from daemon.ledger.intent import Intent
from daemon.ledger.leaving import hidden_original
from daemon.ledger.ledger import Ledger
from daemon.photo import Mode, Outcome

Unseen = Callable[[int, Intent, OSError], None]
"""Takes the row of an intent that stays open, the intent, and why its places cannot be looked at or written."""


def ignored(*_: object) -> None:
    """Let intents that cannot be settled stay open, without a word."""


def reconcile(
    ledger: Ledger, now_s: float, unseen: Unseen = ignored, paths: Paths = tuple
) -> dict[Path, Outcome | None]:
    """Settle every open intent that can be settled now.

    Args:
        ledger: of the inbox.
        now_s: wall time for the outcomes.
        unseen: called with each of the others, about which nothing is guessed: they stay open.
        paths: yields the files of the inbox, among which an original may have another name by now.

    Returns:
        By source, what became of each: an outcome, or None if nothing had been moved and it lies in the inbox.
    """
    outcomes, told = {}, {}
    intents = ledger.open_intents()
    originals = Originals(paths, intents.values())
    for row, intent in intents.items():
        try:
            outcomes[row] = told[intent.source] = settle(intent, originals.find)
        except OSError as error:
            unseen(row, intent, error)
    if outcomes:
        ledger.conclude(outcomes, now_s)
    remove_hidden_names(ledger.concluded_last())
    return told


def settle(intent: Intent, find: Find = nowhere) -> Outcome | None:
    """Finish one intent or forget it: returns what became of the photo, None if nothing had been done.

    A copy keeps its hidden name, by which it is known, until the outcome is in the ledger: `remove_hidden_names` is for
    then.

    Args:
        intent: what was to happen.
        find: tells where the original may lie if it is not where it was.

    Raises:
        OSError: one of the two places cannot be looked at or written now, or the mount of the original is away.
    """
    original = _original(intent)
    source = look_for(original)
    stays = is_same_file(original, source, intent.identity, intent.sha256)
    hidden = hidden_of(intent)
    published = is_published(replace(intent, source=original), hidden, stays=stays)
    if original != intent.source or (published and stays and may_go_on(intent)):
        take_back(intent, original, hidden, published=published)
        return None
    away = not stays and intent.mount is not None and not is_mounted(intent.mount)
    if not published:
        if look_for(hidden) is not None:
            hidden.unlink()  # its name is ours alone
        return None if source is not None or away else Outcome.GONE
    found = None if stays or intent.mode is not Mode.MOVE else _renamed(intent, hidden, find)
    if (
        found is None and away and intent.mode is Mode.MOVE
    ):  # else it would be filed a second time when the mount is back
        raise OSError(errno.ENXIO, "nothing is mounted there now", str(intent.mount))
    if intent.mode is not Mode.SYMLINK:
        sync_file(intent.destination)
    if intent.becomes is Outcome.FAILED and intent.part_of is None:
        with suppress(OSError):  # the reason stands in the ledger too
            write_failure_note(intent.destination, intent.source.name, intent.reason)
    sync_folder(intent.destination.parent)
    if intent.mode is Mode.MOVE:
        _finish_move(intent, found or intent.source)
    return intent.becomes


def _renamed(intent: Intent, hidden: Path, find: Find) -> Path | None:
    """Return where the original of a copy lies, which was published and may not have been removed."""
    if intent.undoes is not None or (look_for(hidden) is None and has_links(hidden.parent)):
        return None
    found = find(intent)
    if found is None or not is_same_file(found, look_for(found), intent.identity, intent.sha256):
        return None
    return found if is_equal(found, intent) else None


def remove_hidden_names(intents: Iterable[Intent]) -> None:
    """Remove the hidden names of copies whose outcome is in the ledger; what cannot be removed stays."""
    for intent in intents:
        remove_hidden_name(intent)


def remove_hidden_name(intent: Intent) -> None:
    """Remove the hidden name of a copy whose outcome is in the ledger; if it cannot be removed it stays."""
    if intent.mode not in (Mode.MOVE, Mode.COPY):
        return
    with suppress(OSError), ExitStack() as stack:
        hidden = hidden_of(intent)
        if intent.undoes is not None:  # in the inbox, where a folder may be swapped for a link at any moment
            folder = stack.enter_context(open_folder(Path("/"), hidden.parent.relative_to("/")))
            hidden = folder / hidden.name
        hidden.unlink(missing_ok=True)


def _original(intent: Intent) -> Path:
    """Return where the original lies, if anywhere: under the hidden name that it gets once it is copied, or its own."""
    hidden = hidden_original(intent.source, intent.identity)
    return hidden if intent.mode is Mode.MOVE and look_for(hidden) is not None else intent.source


def _finish_move(intent: Intent, original: Path) -> None:
    """Remove the original, wherever it lies, if that was not done yet, and make its going durable.

    It is looked at anew: hashing and syncing took their time, and another may have its name by now.
    """
    with ExitStack() as stack:
        folder = original.parent
        if intent.undoes is None:  # in the inbox, where a folder may be swapped for a link at any moment
            try:
                folder = stack.enter_context(open_folder(Path("/"), folder.relative_to("/")))
            except (FileNotFoundError, NotADirectoryError):
                return  # it went with its folder; what lies behind a link is none of ours
        source = folder / original.name
        if is_same_file(source, look_for(source), intent.identity, intent.sha256) and is_equal(source, intent):
            source.unlink(missing_ok=True)
        if folder.is_dir():
            sync_folder(folder)
