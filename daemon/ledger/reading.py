"""Read-only access to ledgers: found by their inbox, read while a daemon runs or afterwards, never written.

If its daemon has stopped, a ledger in WAL mode can only be opened by a user who may write to its folder, and such a
reader leaves files there that disturb the next daemon. So a ledger is read in place only while a daemon runs, and
otherwise from a copy.
"""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from common.text import printable
from daemon.files.marker import RootError
from daemon.ledger.ledger import LedgerError, migrate, unusable
from daemon.ledger.schema import MIGRATIONS
from daemon.ledger.state_folder import LEDGER, state_folder

SERVICES = Path("/var/lib/phototriage")
"""State folders of the services of systemd/phototriage@.service."""
COPIES = 20
"""How often the copy is repeated because the daemon wrote meanwhile."""


def find_ledgers(inbox: Path | None) -> list[Path]:
    """Return the ledgers of one inbox, or all ledgers of this user and of the services, in order of their paths.

    Raises:
        LedgerError: there is none.
    """
    found = sorted(path for folder in _state_folders() for path in [folder / LEDGER] if _is_file(path))
    if inbox is not None:
        found = [path for path in found if _inbox_of(path) == inbox.resolve()]
    if not found:
        whose = f"of {printable(inbox)} " if inbox else ""
        raise LedgerError(
            f"There is no ledger {whose}that this user can read. `watch` and `sort` create one at their start. To "
            f"read that of a service, join its group, or name its folder: STATE_DIRECTORY={SERVICES}/NAME"
        )
    return found


def one_ledger(inbox: Path | None) -> Path:
    """Return the ledger of an inbox, or the only one there is.

    Raises:
        LedgerError: there is none, or more than one.
    """
    found = find_ledgers(inbox)
    if len(found) > 1:
        inboxes = ", ".join(printable(_inbox_of(path) or path) for path in found)
        raise LedgerError(f"There is more than one ledger. Choose one with --inbox: {inboxes}")
    return found[0]


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a ledger for queries, migrated to this version; columns can be read by name.

    Raises:
        LedgerError: it cannot be read, is damaged, or was written by a newer version.
    """
    with ExitStack() as stack:
        try:
            connection = _opened_in_place(path)
            if connection is None:
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="phototriage-")))
                connection = _opened_copy(path, folder)
            stack.callback(connection.close)
            connection.row_factory = sqlite3.Row
            yield connection
        except (OSError, sqlite3.Error) as error:
            raise unusable(path, error) from error


def root_of(connection: sqlite3.Connection, role: str) -> Path | None:
    """Return the `inbox` or `output` of a ledger; None if its daemon never adopted one."""
    row = connection.execute("SELECT path FROM roots WHERE role = ?", (role,)).fetchone()
    return Path(os.fsdecode(row[0])) if row else None


def _state_folders() -> Iterator[Path]:
    """Yield the folders that may hold a ledger; `state_folder` chooses the folder of a new one."""
    with suppress(RootError):
        own = state_folder(Path("/any"))
        if os.environ.get("STATE_DIRECTORY"):
            yield own
            return
        yield from _folders(own.parent)
    yield from _folders(SERVICES)


def _folders(parent: Path) -> list[Path]:
    try:
        return list(parent.iterdir())
    except OSError:
        return []


def _is_file(path: Path) -> bool:
    return os.access(path, os.R_OK) and path.is_file()


def _inbox_of(path: Path) -> Path | None:
    with reading(path) as connection:
        return root_of(connection, "inbox")


def _opened_in_place(path: Path) -> sqlite3.Connection | None:
    """Open the ledger in place if a daemon has it open; None if it must be copied."""
    if not os.path.lexists(f"{path}-shm"):
        return None
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None)
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == len(MIGRATIONS):
            return connection
    except sqlite3.OperationalError:  # left by a killed daemon, and this user may not repair it
        pass
    connection.close()
    return None


def _opened_copy(path: Path, folder: Path) -> sqlite3.Connection:
    copy = folder / LEDGER
    for _ in range(COPIES):
        before = _stamps(path)
        for ending in before:
            shutil.copyfile(f"{path}{ending}", f"{copy}{ending}")
        if _stamps(path) == before:
            break
        for ending in before:
            Path(f"{copy}{ending}").unlink()
    else:
        raise LedgerError(f"The ledger {printable(path)} changes faster than it can be copied. Try again.")
    connection = sqlite3.connect(copy, isolation_level=None)
    try:
        migrate(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _stamps(path: Path) -> dict[str, tuple[int, int]]:
    """Return size and time of the ledger's files, by the ending of their names."""
    stamps = {}
    for ending in ("", "-wal"):
        with suppress(FileNotFoundError):
            status = Path(f"{path}{ending}").stat()
            stamps[ending] = (status.st_size, status.st_mtime_ns)
    return stamps
