"""Undo: choose photos and take them back, in one process at a time.

A daemon may run at the same time. The ledger records each photo before it moves, so the daemon leaves the returning
photo alone until it is changed, renamed, or released by `retry --undone`.
"""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from itertools import islice
from pathlib import Path

from common.errors import PhototriageError
from common.text import printable
from daemon.adopt import compare
from daemon.files.marker import MountMissingError
from daemon.filing.recovery import OnUnresolved, ignore
from daemon.ledger.ledger import Ledger
from daemon.ledger.queries import Record, RecordFilter, companions
from daemon.ledger.reader import photos, records
from daemon.ledger.reading import one_ledger, roots_of
from daemon.photo import Outcome
from daemon.process.sudo import as_caller
from daemon.undo.execute import TOGETHER, carry_out, finish
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
) -> Iterator[list[Step]]:
    """Take photos back to their inbox, some at a time; yields for each photo the steps of it and its companions.

    No other process can take photos back until the last one is yielded.

    Args:
        inbox: whose photos; None if there is only one ledger.
        which: selects photos.
        last: how many of the selected photos, youngest first; negative for all.
        becomes: `undone` or `retried`.
        now_s: wall time for the outcomes.
        on_unresolved: called with each intent of an earlier undo that cannot be finished now.

    Raises:
        UndoError: another process takes photos back, or the work was interrupted.
        RootError: the mount of a root is away, or an unknown mount covers a root.
        LedgerError: there is no ledger, or it cannot be written.
    """
    path = one_ledger(inbox)
    with as_caller(path.parent), _locked(path.parent) as free, _writing(path) as ledger:
        if not free:
            raise UndoError("Another process takes photos back to this inbox now. Try again when it has finished.")
        try:
            _check_roots(ledger)  # first: if a mount is away, its photos look as if they had been taken back
            finish(ledger, now_s, on_unresolved)
            home, _ = roots_of(path)
            if home is not None:
                groups = plans(path, which, last, becomes)
                yield from carry_out(ledger, groups, now_s, home, partial(_obstacle, ledger))
        except (OSError, sqlite3.Error) as error:
            raise UndoError(
                f"Taking photos back was interrupted: {error}. No photo is lost. Fix this and run the command again."
            ) from error


def plans(ledger: Path, which: RecordFilter, last: int, becomes: Outcome) -> Iterator[list[Step]]:
    """Plan the undo of the selected photos, one after the other; nothing is touched.

    Args:
        ledger: its file.
        which: selects photos.
        last: how many of the selected photos, youngest first; negative for all.
        becomes: `undone` or `retried`.
    """
    promised: set[int] = set()
    selected = photos(ledger, which, last, lambda connection, photo: (photo, companions(connection, photo.row)))
    for photo, parts in selected:
        yield plan(photo, parts, becomes, promised)


def release(inbox: Path | None, which: RecordFilter, last: int, *, dry_run: bool) -> Iterator[Record]:
    """Let the daemon file photos again that were taken back; yields the released ones.

    Args:
        inbox: whose photos; None if there is only one ledger.
        which: selects photos.
        last: how many of the selected photos, youngest first; negative for all.
        dry_run: only return them.
    """
    path = one_ledger(inbox)
    held = records(path, which, last)
    if dry_run:
        yield from held
        return
    with as_caller(path.parent), _writing(path) as ledger:
        while some := list(islice(held, TOGETHER)):
            ledger.release(record.row for record in some)
            yield from some


def finish_at_start(ledger: Ledger, state: Path, now_s: float, on_unresolved: OnUnresolved = ignore) -> None:
    """Finish the work of a killed `undo` before a daemon files; a running `undo` is not disturbed.

    Args:
        ledger: of the inbox.
        state: folder of the ledger.
        now_s: wall time for the outcomes.
        on_unresolved: called with each intent that cannot be finished now; it stays open.
    """
    with _locked(state) as free:
        if free:
            finish(ledger, now_s, on_unresolved)


def _check_roots(ledger: Ledger) -> None:
    inbox, output = ledger.roots.get("inbox"), ledger.roots.get("output")
    if inbox is None or output is None:
        return  # no daemon ever adopted them: there is nothing to take back
    for role, root in (("inbox", inbox), ("output", output)):
        other = compare(role, root.path, root, ledger.roots)
        if other is not None and other.mounted:
            raise MountMissingError(
                f"Something is mounted over the {role} {printable(root.path)} that phototriage knows, so nothing is "
                "taken back. Unmount it; or, if you want to use it, start `sort` or `watch` with it first."
            )
    if not inbox.path.is_dir():
        raise UndoError(f"The inbox {printable(inbox.path)} does not exist, so nothing can go back. Make it first.")


def _obstacle(ledger: Ledger) -> str:
    """Return why nothing can go back now, or an empty text: mounts may change during an undo."""
    try:
        _check_roots(ledger)
    except PhototriageError as error:
        return str(error)
    return ""


@contextmanager
def _locked(state: Path) -> Iterator[bool]:
    """Hold the lock for the block; yields False if another process holds it."""
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
    """Open the lock file, creating it if missing; read-only, because it may belong to another user.

    If root creates it, root gives it to the owner of the state folder: under a strict umask the service could not open
    it, and would not start again. A link in its place is refused, because root would give away its target.
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
        raise UndoError(f"{printable(lock)} cannot be opened ({error.strerror}). Remove it and try again.") from error


@contextmanager
def _writing(path: Path) -> Iterator[Ledger]:
    ledger = Ledger(path)
    try:
        yield ledger
    finally:
        ledger.close()
