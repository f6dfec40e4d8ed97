"""After a crash: finish what was begun, or forget it, by looking at both places of every open intent.

An intent whose places cannot be looked at now stays open, and holds up nothing but its own photo.

Only a file that matches what the intent says - device, inode, size and time, or content - is called finished; a new
file under an old name is left alone. An original is removed only where photos are moved, and only if the file at the
destination is the same one, or a copy made by us that still has its hidden name too: a stranger's of equal content and
time is not. Where the file system has no hard links, a copy keeps no such name, and its content and time must do.
"""

import stat
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

from daemon.beneath import pinned
from daemon.extents import same_content
from daemon.filing import former_temporary_beside, sync_file, sync_folder, temporary_beside
from daemon.intent import Intent
from daemon.leaving import hidden_original
from daemon.ledger import Ledger
from daemon.limits import REFUSED
from daemon.mounts import mount_of
from daemon.photo import Identity, Mode, Outcome
from daemon.probe import has_links, has_noreplace
from daemon.rename import is_one_file
from daemon.same import is_same_file, is_same_inode, numbers_last, sha256_of
from daemon.uncopy import may_go_on, take_back
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
    remove_hidden_names(ledger.concluded_last())
    return told


def settle(intent: Intent) -> Outcome | None:
    """Finish one intent or forget it: returns what became of the photo, None if nothing had been done.

    A copy keeps its hidden name, by which it is known, until the outcome is in the ledger: `remove_hidden_names` is for
    then.

    Raises:
        OSError: one of the two places cannot be looked at or written now.
    """
    original = _original(intent)
    source = _look_at(original)
    stays = is_same_file(original, source, intent.identity, intent.sha256)
    hidden = _hidden_name(intent)
    published = _is_published(replace(intent, source=original), hidden, stays=stays)
    if original != intent.source or (published and stays and may_go_on(intent)):
        take_back(intent, original, hidden, published=published)
        return None
    if not published:
        if _look_at(hidden) is not None:
            hidden.unlink()  # its name is ours alone
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


def remove_hidden_names(intents: Iterable[Intent]) -> None:
    """Remove the hidden names of copies whose outcome is in the ledger; what cannot be removed stays."""
    for intent in intents:
        remove_hidden_name(intent)


def remove_hidden_name(intent: Intent) -> None:
    """Remove the hidden name of a copy whose outcome is in the ledger; if it cannot be removed it stays."""
    if intent.mode not in (Mode.MOVE, Mode.COPY):
        return
    with suppress(OSError), ExitStack() as stack:
        hidden = _hidden_name(intent)
        if intent.undoes is not None:  # in the inbox, where a folder may be swapped for a link at any moment
            folder = stack.enter_context(pinned(Path("/"), hidden.parent.relative_to("/")))
            hidden = folder / hidden.name
        hidden.unlink(missing_ok=True)


def _hidden_name(intent: Intent) -> Path:
    name = former_temporary_beside if intent.by_rename else temporary_beside
    return name(intent.destination, intent.source, intent.identity)


def _original(intent: Intent) -> Path:
    """Return where the original lies, if anywhere: under the hidden name that it gets once it is copied, or its own."""
    hidden = hidden_original(intent.source, intent.identity)
    return hidden if intent.mode is Mode.MOVE and _look_at(hidden) is not None else intent.source


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
        if is_same_file(source, _look_at(source), intent.identity, intent.sha256) and _is_equal(source, intent):
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


def _is_equal(source: Path, intent: Intent) -> bool:
    """Tell whether a file has the content that was filed: an edit may have kept its inode, its size and its time."""
    if intent.sha256:
        return sha256_of(source) == intent.sha256
    return same_content(source, intent.destination)


def _is_published(intent: Intent, hidden: Path, *, stays: bool) -> bool:
    """Tell whether the file at the destination is there by this intent.

    A stranger's may be equal to it in content and time, as where two inboxes with the same photo share an output. So
    the inode proves it, or the hidden name that a copy keeps until its outcome is written.

    Args:
        intent: what was to happen.
        hidden: the hidden name of a copy.
        stays: whether the original is where it was.
    """
    target = intent.destination
    if intent.mode is Mode.SYMLINK:
        with suppress(OSError):
            return target.readlink() == intent.source
        return False
    found = _look_at(target)
    if found is None:
        return False
    if is_one_file(intent.source, target) and stays:
        # A rename is one step where there is one that overwrites nothing; then this link is another inbox's.
        return intent.mode is Mode.HARDLINK or (intent.mode is Mode.MOVE and not has_noreplace(target.parent))
    if intent.mode is Mode.HARDLINK:
        return not (stays and numbers_last(target.parent)) and is_same_file(
            target, found, intent.identity, intent.sha256
        )
    if not stays and intent.mode is Mode.MOVE and is_same_inode(target, found, intent.identity, intent.sha256):
        return True
    return _is_our_copy(intent, hidden, found, stays=stays)


def _is_our_copy(intent: Intent, hidden: Path, found: Identity, *, stays: bool) -> bool:
    target = intent.destination
    if _look_at(hidden) is not None:
        linked = is_one_file(hidden, target) or (not numbers_last(target.parent) and has_links(target.parent))
        return linked and _is_there(intent, found, stays=stays)
    if not _is_there(intent, found, stays=stays):
        return False
    # Without the hidden name it was never published, if there can be one. Where the original went, nothing is removed.
    return not stays or intent.by_rename or not _leaves_a_proof(intent)


def _leaves_a_proof(intent: Intent) -> bool:
    """Tell whether a file that was put there by this intent could be told from a stranger's by more than its content.

    Not by a copy where there are no hard links, nor by a link whose original then goes where numbers of files change.
    """
    here, there = intent.source.parent, intent.destination.parent
    if intent.mode is Mode.MOVE and mount_of(here) == mount_of(there):
        return numbers_last(there) or has_noreplace(there)
    return has_links(there)


def _is_there(intent: Intent, found: Identity, *, stays: bool) -> bool:
    """Tell whether the file at the destination has the content that was intended, and where it may be ours its time."""
    if found.size != intent.identity.size:
        return False
    same_time = abs(found.mtime_ns - intent.identity.mtime_ns) < SAME_TIME_NS
    if stays and not same_time:
        return False
    if intent.sha256:
        return sha256_of(intent.destination) == intent.sha256
    if stays:  # a companion has no hash
        return same_content(intent.destination, intent.source)
    return same_time
