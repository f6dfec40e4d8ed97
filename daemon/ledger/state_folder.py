"""The state folder: where an inbox's ledger lies, and the lock that its running daemon holds there."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import IO, Literal

from common.text import printable
from daemon.files.confined import open_to_lock
from daemon.files.marker import RootError

LEDGER, LOCK = "ledger.sqlite", "lock"


def is_running(state: Path) -> bool:
    """Tell whether another process holds the lock in a state folder now."""
    try:
        with (state / LOCK).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def state_folder(inbox: Path) -> Path:
    """Return the state folder of an inbox: systemd's state directory, or one in the user's named after the inbox."""
    given = os.environ.get("STATE_DIRECTORY", "").split(":")[0]
    if given:
        return Path(given)
    xdg, home = os.environ.get("XDG_STATE_HOME"), _home()
    if not xdg and home is None:
        raise RootError("There is no home folder for the ledger. Set XDG_STATE_HOME to a folder that can be written.")
    digest = sha256(os.fsencode(inbox)).hexdigest()[:10]
    name = "".join(character if character.isalnum() else "-" for character in printable(inbox.name))[:40]
    states = Path(xdg) if xdg else Path(home or "/") / ".local" / "state"
    return states / "phototriage" / f"{name}-{digest}"


def _home() -> Path | None:
    try:
        return Path.home().resolve()
    except RuntimeError:  # a user without an entry, as in containers
        return None


@contextmanager
def lock_state(folder: Path, *, patience_s: float = 2.0) -> Iterator[None]:
    """Lock a state folder until the end of the block.

    Without the lock, two inboxes with the same STATE_DIRECTORY would resolve each other's open intents.

    Args:
        folder: the state folder.
        patience_s: how long to wait for the lock: `model use` takes it for a moment when no daemon runs.

    Raises:
        RootError: another process holds the lock.
    """
    busy = f"Another phototriage uses the ledger in {printable(folder)}. Give each inbox its own STATE_DIRECTORY."
    file = locked(folder / LOCK, "ab", busy, patience_s)
    try:
        yield
    finally:
        with suppress(OSError):  # a share whose server was away reports an error here; the lock is released anyway
            file.close()


def locked(path: Path, mode: Literal["rb", "ab"], busy: str, patience_s: float = 0.0) -> IO[bytes]:
    """Lock a file until it is closed.

    Args:
        path: of the file.
        mode: to open it; `ab` creates it.
        busy: the error's text if another process holds the lock.
        patience_s: how long to wait for it.

    Raises:
        RootError: another process holds the lock, or the file cannot be opened.
    """
    try:
        file = open_to_lock(path, mode)
    except OSError as error:
        raise RootError(f"{printable(path)} cannot be locked ({error.strerror}).") from error
    end_s = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if time.monotonic() < end_s:
                time.sleep(0.02)
                continue
            file.close()
            raise RootError(busy) from error
        return file


class FolderLock:
    """Holds a lock on a folder itself until closed, where no file can be made to be locked.

    Args:
        folder: the folder.
        busy: the error's text if another process holds the lock.

    Raises:
        RootError: another process holds the lock, or the folder cannot be opened.
    """

    def __init__(self, folder: Path, busy: str) -> None:
        try:
            self._descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise RootError(f"{printable(folder)} cannot be locked ({error.strerror}).") from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.close()
            raise RootError(busy) from error

    def fileno(self) -> int:
        """Return the descriptor of the folder."""
        return self._descriptor

    def close(self) -> None:
        """Release the lock."""
        os.close(self._descriptor)
