"""Checks the two folders before any photo moves: the inbox with its lock, and the output.

Both carry a marker file. The inbox's marker is also the lock: one process per inbox. daemon/adopt.py decides whether a
folder is the one that the ledger remembers.
"""

import os
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import IO

from common.text import printable
from daemon.adopt import OtherFolder, adopt, compare
from daemon.files.locks import FolderLock, locked
from daemon.files.marker import MARKER, UNMARKED, MountMissingError, RootError, UnwritableRootError, mark, tidy
from daemon.files.mount_points import mount_point
from daemon.files.mounts import mount_that_is_away
from daemon.filing.modes import check_mode
from daemon.ledger.ledger import Ledger
from daemon.ledger.movers import lock_state
from daemon.ledger.recorded_roots import LedgerRoots, Root
from daemon.ledger.state_folder import _home, state_folder
from daemon.photo import Mode

__all__ = [
    "InboxLock",
    "MountMissingError",
    "RootError",
    "check_folders",
    "check_roots",
    "lock_state",
    "roots_on_paper",
    "state_folder",
    "take_roots",
]


def check_roots(inbox: Path, output: Path) -> tuple[Path, Path]:
    """Return both folders as absolute paths without links.

    The output is created if only its last folder is missing.

    Raises:
        RootError: a folder cannot serve; the text says why and what to do.
    """
    inbox, output = inbox.resolve(), output.resolve()
    for role, path in (("inbox", inbox), ("output", output)):
        away = None if path.is_dir() else mount_that_is_away(path)
        if away is not None:
            raise MountMissingError(
                f"The {role} {printable(path)} is missing because nothing is mounted at {printable(away)}. "
                "Mount the disk or share; no photo is filed until then."
            )
    if not inbox.is_dir():
        what = "is not a folder" if inbox.exists() else "does not exist"
        raise RootError(f"The inbox {printable(inbox)} {what}. Create it first: mkdir {printable(inbox)}")
    try:
        os.scandir(inbox).close()
    except OSError as error:
        raise RootError(
            f"The inbox {printable(inbox)} cannot be read ({error.strerror}). Give this user permission to read it."
        ) from error
    if inbox == inbox.parent or inbox == _home():
        raise RootError(
            f"{printable(inbox)} cannot be the inbox: everything in it would be sorted. Pass a separate folder."
        )
    try:
        output.mkdir(exist_ok=True)
    except OSError as error:
        raise RootError(
            f"The output {printable(output)} cannot be created ({error.strerror}). "
            "Pass a folder, or a name in a folder where this user may write."
        ) from error
    if inbox.samefile(output):
        raise RootError(f"Inbox and output are the same folder, {printable(inbox)}. Pass two different folders.")
    return inbox, output


def roots_on_paper(inbox: Path, output: Path) -> tuple[Path, Path]:
    """Check both as for filing; an output that is not there yet is not made, but must be such that it could be."""
    if output.exists():
        return check_roots(inbox, output)
    output = output.resolve()
    if not output.parent.is_dir():
        raise RootError(f"The output {printable(output)} cannot be made: {printable(output.parent)} is no folder.")
    return check_roots(inbox, inbox.resolve().parent)[0], output


def check_folders(inbox: Path, output: Path, names: Iterable[str]) -> None:
    """Refuse an inbox that is a class folder of the output, because filed photos would be filed again for ever.

    Args:
        inbox: from `check_roots`.
        output: from `check_roots`.
        names: of all folders that the output may get.

    Raises:
        RootError: the inbox is such a folder.
    """
    for name in names:
        folder = output / name
        if folder.is_dir() and folder.samefile(inbox):
            raise RootError(
                f"The inbox {printable(inbox)} is the folder {printable(name)} of the output, so filed photos would be "
                "sorted again. Pass another inbox."
            )


class InboxLock:
    """Holds a lock on the inbox's marker until closed.

    Args:
        inbox: from `check_roots`.
        roots: folders that the ledger remembers.
        say: takes one sentence if the inbox is another folder than last time.
        may_be_unmarked: whether nothing is moved out of the inbox, so that it may be one that cannot be written. Then
            the folder itself is locked.

    Raises:
        MountMissingError: the inbox is not the known folder and must not be used instead.
        RootError: another process holds the lock, or the inbox cannot be written.
    """

    def __init__(
        self,
        inbox: Path,
        roots: LedgerRoots,
        say: Callable[[str], None] = lambda _: None,
        *,
        may_be_unmarked: bool = False,
    ) -> None:
        self._inbox, self._may_be_unmarked = inbox, may_be_unmarked
        self._roots = roots
        self._say = say
        self._other = compare("inbox", inbox, roots.get("inbox"), roots)
        self.root, self._file = self._locked_root()

    def adopt(self) -> None:
        """Record the inbox in the ledger. Call this once the process holds the lock of the ledger too."""
        self._remember(self.root, self._other)

    def check(self) -> None:
        """Check that the inbox is still the locked folder. A folder that was made again at its path is locked and used.

        Raises:
            MountMissingError: the folder differs because its mount is missing or something was mounted over it.
            RootError: another process holds the lock, or the folder cannot be written or recorded.
        """
        try:
            status = (self._inbox / MARKER).lstat()
        except FileNotFoundError:
            if not self._inbox.is_dir():
                return  # the scan reports that
            if self.root.marker == UNMARKED and self._is_locked(self._inbox.stat()):
                return
        except OSError:
            return  # the scan reports that
        else:
            if self._is_locked(status):
                return
        other = compare("inbox", self._inbox, self.root, self._roots)
        # At the start a new mount is used (rule 3). While the daemon runs it may be a mistake: the user decides.
        if other is not None and other.mounted:
            raise MountMissingError(
                f"Something was mounted over the inbox {printable(self._inbox)} while phototriage was running. "
                "Unmount it, or restart phototriage to use the new mount."
            )
        root, file = self._locked_root()
        try:
            self._remember(root, other)
        except sqlite3.Error as error:
            _release(file)
            raise RootError(
                f"The inbox is a different folder now, and the ledger cannot record that ({error}). "
                "Make sure that the ledger can be written."
            ) from error
        _release(self._file)
        self.root, self._file = root, file

    def close(self) -> None:
        """Release the lock."""
        _release(self._file)

    def _locked_root(self) -> tuple[Root, IO[bytes] | FolderLock]:
        busy = f"Another phototriage is already running on {printable(self._inbox)}. Stop it before you start this one."
        try:
            root = Root(mark(self._inbox, "inbox"), mount_point(self._inbox), self._inbox)
        except UnwritableRootError:
            if not self._may_be_unmarked:
                raise
            return Root(UNMARKED, mount_point(self._inbox), self._inbox), FolderLock(self._inbox, busy)
        return root, locked(self._inbox / MARKER, busy)

    def _remember(self, root: Root, other: OtherFolder | None) -> None:
        self._roots.record("inbox", root)
        if other is not None:
            self._say(other.says)

    def _is_locked(self, status: os.stat_result) -> bool:
        try:
            return os.path.samestat(status, os.fstat(self._file.fileno()))
        except OSError:  # its file system is gone for good, so this is another file
            return False


def take_roots(
    stack: ExitStack, ledger: Ledger, roots: tuple[Path, Path], mode: Mode, now_s: float, say: Callable[[str], None]
) -> InboxLock:
    """Lock inbox and ledger until the stack closes, record both folders, and check that the mode is possible.

    Args:
        stack: releases the locks.
        ledger: of the inbox, opened; its mounts were checked.
        roots: inbox and output, from `check_roots`.
        mode: how photos are filed.
        now_s: wall time.
        say: takes one sentence for the user.

    Returns:
        The lock of the inbox, which may be checked again.

    Raises:
        RootError: another process holds a lock, or a folder cannot be written.
        ModeError: the mode is not possible between the two folders.
    """
    inbox, output = roots
    unmarked = mode in (Mode.COPY, Mode.SYMLINK)
    lock = stack.enter_context(closing(InboxLock(inbox, ledger.roots, say, may_be_unmarked=unmarked)))
    stack.enter_context(lock_state(ledger.path.parent))
    lock.adopt()
    adopt(ledger, "output", output, say)
    for root in roots:
        tidy(root, now_s)
    check_mode(mode, inbox, output)
    return lock


def _release(file: IO[bytes] | FolderLock) -> None:
    with suppress(OSError):  # a share may report an error here; the lock is released anyway
        file.close()
