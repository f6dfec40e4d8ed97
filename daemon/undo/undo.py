"""The way back: which photos, and one process at a time that takes them.

It works beside a daemon at work. A photo that is taken back is remembered before it moves, so the daemon, which sees it
come, leaves it alone until it is changed or renamed, or released by `retry --undone`.
"""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from contract.errors import PhototriageError
from contract.text import printable
from daemon.adopt import compare
from daemon.files.marker import MountMissingError
from daemon.filing.recovery import OnUnresolved, ignore
from daemon.ledger.ledger import Ledger
from daemon.ledger.queries import Record, RecordFilter, companions, select
from daemon.ledger.reading import one_ledger, reading, root_of
from daemon.photo import Outcome
from daemon.undo.execute import finish, take_back
from daemon.undo.plan import Step, plan

LOCK = "undo-lock"


class UndoError(PhototriageError):
    """Photos cannot be taken back now."""


def undo(
    inbox: Path | None,
    which: RecordFilter,
    last: int,
    becomes: Outcome,
    now_s: float,
    on_unresolved: OnUnresolved = ignore,
) -> list[list[Step]]:
    """Take photos back to their inbox; returns for each photo what happened to it and its companions.

    Args:
        inbox: whose; None for the only ledger there is.
        which: photos.
        last: only so many, the youngest; negative for all.
        becomes: `undone` or `retried`.
        now_s: wall time for the outcomes.
        on_unresolved: called with what an earlier one began and cannot be finished now.

    Raises:
        UndoError: another process is at it, or it was cut off.
        RootError: a root lies on a mount that is away, or under one that nobody began with.
        LedgerError: there is no ledger, or none that can be written.
    """
    path = one_ledger(inbox)
    with _locked(path.parent) as free, _writing(path) as ledger:
        if not free:
            raise UndoError("Another process takes photos back to this inbox right now. Try again when it is done.")
        try:
            _check_roots(ledger)  # first: what lies on a mount that is away looks as if it had been taken back
            finish(ledger, now_s, on_unresolved)
            with reading(path) as connection:
                groups = plans(connection, which, last, becomes)
                home = root_of(connection, "inbox")
            return list(take_back(ledger, groups, now_s, home, partial(_obstacle, ledger))) if home else []
        except (OSError, sqlite3.Error) as error:
            raise UndoError(
                f"Taking photos back was cut off: {error}. None is lost: once that is mended, the same command goes on."
            ) from error


def plans(connection: sqlite3.Connection, which: RecordFilter, last: int, becomes: Outcome) -> list[list[Step]]:
    """Return what would happen to the photos that are meant, and touch nothing."""
    promised: set[Path] = set()
    photos = list(select(connection, which, last))
    return [plan(photo, companions(connection, photo.row), becomes, promised) for photo in photos]


def release(inbox: Path | None, which: RecordFilter, last: int, *, dry_run: bool) -> list[Record]:
    """Let the daemon take photos again that were taken back; returns those that it left alone until now."""
    path = one_ledger(inbox)
    with reading(path) as connection:
        held = list(select(connection, which, last))
    if not dry_run:
        with _writing(path) as ledger:
            ledger.release(record.row for record in held)
    return held


def finish_at_start(ledger: Ledger, state: Path, now_s: float, on_unresolved: OnUnresolved = ignore) -> None:
    """Finish what a killed `undo` began, before a daemon files; one that is at work is left to it.

    Args:
        ledger: of the inbox.
        state: folder of the ledger.
        now_s: wall time for the outcomes.
        on_unresolved: called with each photo about which it cannot be finished now: it stays open.
    """
    with _locked(state) as free:
        if free:
            finish(ledger, now_s, on_unresolved)


def _check_roots(ledger: Ledger) -> None:
    inbox, output = ledger.roots.get("inbox"), ledger.roots.get("output")
    if inbox is None or output is None:
        return  # a daemon never got so far: there is nothing to take back
    for role, root in (("inbox", inbox), ("output", output)):
        other = compare(role, root.path, root, ledger.roots)
        if other is not None and other.mounted:
            raise MountMissingError(
                f"Something is mounted over the {role} {printable(root.path)} that phototriage knows, so nothing is "
                "taken back. Unmount it; if it is meant, let `sort` or `watch` begin with it first."
            )
    if not inbox.path.is_dir():
        raise UndoError(f"The inbox {printable(inbox.path)} is not there, so nothing can go back to it. Make it first.")


def _obstacle(ledger: Ledger) -> str:
    """Say why nothing can go back now, or nothing: a mount may go or come while photos are taken back."""
    try:
        _check_roots(ledger)
    except PhototriageError as error:
        return str(error)
    return ""


@contextmanager
def _locked(state: Path) -> Iterator[bool]:
    """Hold the lock while the block lasts; False where another process has it."""
    descriptor = _opened(state / LOCK)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


def _opened(lock: Path) -> int:
    """Open the lock, made if need be; only for reading, because another user may have made it.

    Where root makes it, it goes to the owner of the state folder: under a strict umask the service could not open it,
    and would not start again. Nothing else is given away, so a link in its place is refused.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with suppress(FileExistsError):
            descriptor = os.open(lock, flags | os.O_CREAT | os.O_EXCL, 0o644)
            if os.geteuid() == 0:
                owner = lock.parent.stat()
                os.fchown(descriptor, owner.st_uid, owner.st_gid)
            return descriptor
        return os.open(lock, flags)
    except OSError as error:
        raise UndoError(f"{printable(lock)} cannot be opened ({error.strerror}). Remove it, and try again.") from error


@contextmanager
def _writing(path: Path) -> Iterator[Ledger]:
    ledger = Ledger(path)
    try:
        yield ledger
    finally:
        ledger.close()
