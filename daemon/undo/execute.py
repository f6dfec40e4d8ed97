"""Move what was filed: back to the inbox, to another class, or back from there, by the same protocol as filing.

Intents are committed before a file is touched, then files and folders are synced, then outcomes are committed. After a
kill, the next start of the daemon or of `undo` finishes the work. Nothing is overwritten, and a file that is not the
one that was filed stays. A filed copy or link is removed, but only while its original is still there: the original is
checked immediately before each removal, because the plan may be minutes old by then.
"""

import errno
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path

from common.publish import sync_directory
from common.text import printable
from daemon.files.confined import open_folder
from daemon.files.open_writers import HELD, OpenWriterError
from daemon.files.sync import sync_file
from daemon.filing.failure_note import (
    may_have_note,
    reason_in_note,
    remove_failure_note,
    write_failure_note,
)
from daemon.filing.move import SourceChangedError, move
from daemon.filing.recovery import OnUnresolved, ignore, remove_hidden_names, resolve
from daemon.ledger.intent import Intent
from daemon.ledger.ledger import Ledger
from daemon.ledger.movers import Mover
from daemon.photo import Mode, Outcome
from daemon.undo.obstacles import dangling, mount_away
from daemon.undo.plan import Step
from daemon.undo.remove_copy import original_is_there, remove_copy

Unsynced = dict[Path, Callable[[Path], None]]
TOGETHER = 64
"""How many photos share one pair of commits and one sync of their folders."""


def nothing() -> str:
    """Report no obstacle."""
    return ""


def carry_out(
    ledger: Ledger,
    groups: Iterable[list[Step]],
    now_s: float,
    obstacle: Callable[[], str] = nothing,
    batch: int | None = None,
) -> Iterator[list[Step]]:
    """Carry out plans, some at a time; yields the finished ones, with a reason for each file that stays.

    No link below a step's root is followed: root may call this, and anybody may have made the link.

    Args:
        ledger: of the inbox.
        groups: the plans, each of a photo and its companions; the next ones are made when these are carried out.
        now_s: wall time for the outcomes.
        obstacle: returns why no file can go there now, or an empty text; called before each file.
        batch: number of the batch of all of them, from `Ledger.new_batch`; None for one of each commit.

    Raises:
        OSError, sqlite3.Error: syncs or commits are not possible now; `finish` does the rest later.
    """
    groups = iter(groups)
    while some := list(islice(groups, TOGETHER)):
        numbers = iter(_intended(ledger, some, now_s, batch))
        outcomes: dict[int, Outcome | None] = {}
        unsynced: Unsynced = {}
        for group in some:
            for step in group:
                if step.intent is not None:
                    outcomes[next(numbers)] = _carry_out(
                        step, unsynced, "its photo stays" if group[0].reason else obstacle()
                    )
        for path, sync in unsynced.items():
            with suppress(FileNotFoundError):  # its owner moved it on
                sync(path)
        # Before the outcome, because the removal changes the file's inode once more and the outcome stores its times.
        # The originals are removed and synced by now, so a kill between the two leaves nothing that needs a proof.
        remove_hidden_names(step.intent for group in some for step in group if step.intent and not step.reason)
        _conclude(ledger, outcomes, now_s)
        yield from some


def finish(ledger: Ledger, now_s: float, on_unresolved: OnUnresolved = ignore, mover: Mover = Mover.UNDO) -> int:
    """Finish or forget what a kill interrupted; the caller holds the lock. Returns how many files were moved.

    Args:
        ledger: of the inbox.
        now_s: wall time for the outcomes.
        on_unresolved: called with each intent whose places cannot be checked or written now; it stays open.
        mover: whose intents.
    """
    begun = ledger.open_intents(mover)
    originals = ledger.originals(begun)
    outcomes: dict[int, Outcome | None] = {}
    for row, intent in begun.items():
        try:
            outcomes[row] = _resolve_one(intent, originals.get(row))
        except OSError as error:
            on_unresolved(row, intent, error)
    for row, was in originals.items():
        if row in outcomes and outcomes[row] is None and was.becomes is Outcome.FAILED and was.part_of is None:
            _write_note(was, begun[row].source)  # it had been removed already
    remove_hidden_names(begun[row] for row, outcome in outcomes.items() if outcome is not None)
    if outcomes:
        _conclude(ledger, outcomes, now_s)
    remove_hidden_names(ledger.concluded_last())
    return sum(outcome is not None for outcome in outcomes.values())


def _resolve_one(intent: Intent, was: Intent | None) -> Outcome | None:
    """Return the outcome of one file: None if it is where it was, or is gone without being in the inbox.

    A missing copy was removed by us only if its original is there. Otherwise the owner removed both, or their file
    system is away, and the row must not say that the photo is in the inbox.

    Raises:
        OSError: the places cannot be checked or written now, or the mount that it goes back to is away.
    """
    if was is not None and mount_away(was):
        raise OSError(errno.ENXIO, "nothing is mounted there now", str(was.mount))
    if intent.mode is Mode.MOVE:
        outcome = resolve(intent)
        # A photo that somebody moved on in the middle of a refiling is where the next look finds it.
        return None if intent.refiles is not None and outcome is Outcome.GONE else outcome
    if os.path.lexists(intent.source) or was is None or not original_is_there(was):
        return None
    sync_directory(intent.source.parent)
    return intent.becomes


def _conclude(ledger: Ledger, outcomes: dict[int, Outcome | None], now_s: float) -> None:
    ledger.conclude(outcomes, now_s)
    ledger.release([row for row, outcome in outcomes.items() if outcome is Outcome.RETRIED])


def _intended(ledger: Ledger, groups: Iterable[list[Step]], now_s: float, batch: int | None) -> list[int]:
    """Commit the intents; those of the companions of a refiled photo are its parts, and follow it."""
    intents = []
    for group in groups:
        planned = [step.intent for step in group if step.intent is not None]
        if planned and planned[0].refiles is not None:
            planned = [replace(planned[0], companions=tuple(planned[1:]))]
        intents += planned
    return ledger.intend(intents, now_s, batch)


def _carry_out(step: Step, unsynced: Unsynced, obstacle: str) -> Outcome | None:
    intent, was = step.intent, step.record.intent
    assert intent is not None
    noted = was.becomes is Outcome.FAILED and was.part_of is None
    if may_have_note(was):  # before the move: a running daemon may put it there again at once, with a new note
        for place in {was.destination, intent.source}:  # its owner may have moved the photo, with its note or without
            with suppress(OSError):  # a leftover note does no harm
                noted |= remove_failure_note(place, was.source.name, reason_in_note(was))
    step.reason = obstacle or _do(step, intent, was)
    step.note = "" if step.reason else dangling(was)
    if step.reason:
        if noted:
            _write_note(was, intent.source)
        return None
    unsynced[intent.source.parent] = sync_directory
    if intent.mode is Mode.MOVE:
        unsynced |= {intent.destination: sync_file, intent.destination.parent: sync_directory}
    return intent.becomes


def _do(step: Step, intent: Intent, was: Intent) -> str:
    """Move or remove one file; returns why it stays, or an empty text."""
    home, root = intent.destination, step.root
    if not home.is_relative_to(root):
        role = "inbox" if was.refiles is None else "output"
        return f"it came from {printable(home.parent)}, which is not in the {role} {printable(root)}"
    if intent.undoes is not None and (away := mount_away(was)):
        return away
    try:
        if intent.mode is not Mode.MOVE:
            return remove_copy(intent, was, home.parent.relative_to(root))
        with open_folder(root, home.parent.relative_to(root), make=True) as folder:
            step.lost = move(intent.source, intent.identity, intent.sha256, folder / home.name).lost
    except FileExistsError:
        return "its name there was taken meanwhile"
    except OpenWriterError:
        return HELD
    except SourceChangedError:
        return "it changed meanwhile"
    except OSError as error:
        return f"it cannot be moved ({error.strerror})"
    return ""


def _write_note(was: Intent, place: Path) -> None:
    with suppress(OSError):  # the ledger holds the reason too
        write_failure_note(place, was.source.name, reason_in_note(was))
