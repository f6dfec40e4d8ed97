"""Movers: the kinds of processes that move photos. A process of each kind holds the lock of its kind while it moves.

Each row of the ledger names its mover. After a kill its row stays open and its lock is free, so that the next start of
any mover can tell what was interrupted from what another process does just now.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from enum import StrEnum
from pathlib import Path

from common.errors import PhototriageError
from common.text import printable
from daemon.files.confined import TO_READ
from daemon.files.locks import take_lock
from daemon.files.marker import RootError


class Mover(StrEnum):
    """A kind of process that moves photos, as a row of the ledger names it."""

    DAEMON = "daemon"
    """`watch` and `sort`."""
    UNDO = "undo"
    """`undo` and `retry`."""
    REFILE = "refile"
    """`refile`."""


LOCKS = {Mover.DAEMON: "lock", Mover.UNDO: "undo-lock", Mover.REFILE: "refile-lock"}
"""Names of the lock files in a state folder."""


class LockError(PhototriageError):
    """A lock file cannot be opened or locked, whether a process holds it or not."""


@contextmanager
def mover_lock(state: Path, mover: Mover, patience_s: float = 0.0) -> Iterator[bool]:
    """Hold the lock of a kind of mover for the block; yields False if another process holds it.

    Args:
        state: the folder of the ledger.
        mover: whose lock.
        patience_s: how long to wait for it.

    Raises:
        LockError: the lock file cannot be opened or locked.
    """
    path, does = state / LOCKS[mover], "opened"
    with ExitStack() as stack:
        try:
            descriptor = stack.enter_context(_opened(path))
            does = "locked"
            free = take_lock(descriptor, patience_s)
        except OSError as error:
            raise LockError(
                f"{printable(path)} cannot be {does} ({error.strerror}). Remove it and try again, as the owner of its "
                "folder."
            ) from error
        yield free


@contextmanager
def lock_state(state: Path, *, patience_s: float = 2.0) -> Iterator[None]:
    """Hold the daemon's lock for the block.

    Without the lock, two inboxes with the same STATE_DIRECTORY would resolve each other's open intents.

    Args:
        state: the folder of the ledger.
        patience_s: how long to wait: `model use` and `undo` take this lock for a moment when no daemon runs.

    Raises:
        RootError: another process holds the lock.
        LockError: the lock file cannot be opened or locked.
    """
    with mover_lock(state, Mover.DAEMON, patience_s) as free:
        if not free:
            raise RootError(
                f"Another phototriage uses the ledger in {printable(state)}. Wait until it ends; if it works on "
                "another inbox, give each inbox its own STATE_DIRECTORY."
            )
        yield


def is_running(state: Path) -> bool:
    """Tell whether a daemon holds its lock in a state folder now."""
    try:
        with (state / LOCKS[Mover.DAEMON]).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


@contextmanager
def _opened(lock: Path) -> Iterator[int]:
    """Open a lock file for the block, creating it if missing; read-only, because it may belong to another user.

    If root creates it, root gives it to the owner of the state folder: under a strict umask the service could not open
    it, and would not start again. A link in its place is refused, because root would give away its target.
    """
    try:
        descriptor = os.open(lock, TO_READ | os.O_CREAT | os.O_EXCL, 0o644)
    except FileExistsError:
        descriptor = os.open(lock, TO_READ)
    else:
        if os.geteuid() == 0:
            owner = lock.parent.stat()
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
    try:
        yield descriptor
    finally:
        with suppress(OSError):  # a share whose server was away reports an error here; the lock is released anyway
            os.close(descriptor)
