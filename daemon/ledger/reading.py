"""Find ledgers by their inbox: those of this user and of the services. daemon/ledger/reader.py reads them."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from common.text import printable
from daemon.files.marker import RootError
from daemon.ledger.ledger import LedgerError
from daemon.ledger.reader import reader
from daemon.ledger.state_folder import LEDGER, state_folder
from daemon.process.sudo import caller

SERVICES = Path("/var/lib/phototriage")
"""State folders of the services of systemd/phototriage@.service."""


def find_ledgers(inbox: Path | None, service: str | None = None) -> list[Path]:
    """Return the ledgers of one inbox, or all ledgers of this user and of the services, in order of their paths.

    Args:
        inbox: whose ledgers are meant; None for any.
        service: whose ledger is meant; None for any.

    Raises:
        LedgerError: there is none.
    """
    if service is not None:
        return [service_ledger(service)]
    found = sorted(path for folder in _state_folders() for path in [folder / LEDGER] if _is_file(path))
    if inbox is not None:
        found = [path for path in found if _inbox_of(path) == inbox.resolve()]
    if not found:
        whose = f"of {printable(inbox)} " if inbox else ""
        looked = ", ".join(map(printable, _parents()))
        raise LedgerError(
            f"There is no ledger {whose}that this user can read. `watch` and `sort` create one at their start. To "
            f"read that of a service, join its group, or name its folder: STATE_DIRECTORY={SERVICES}/NAME. "
            f"It was looked for in {looked}."
        )
    return found


def service_ledger(service: str) -> Path:
    """Return the ledger of a service.

    Raises:
        LedgerError: there is none that this user can read.
    """
    ledger = SERVICES / service / LEDGER
    if not _is_file(ledger):
        raise LedgerError(
            f"{printable(ledger.parent)} has no ledger of a service {printable(service)} that this user can read. "
            "Start the service once, and join its group or use sudo."
        )
    return ledger


def one_ledger(inbox: Path | None, service: str | None = None) -> Path:
    """Return the ledger of an inbox or of a service, or the only one there is.

    Raises:
        LedgerError: there is none, or more than one.
    """
    found = find_ledgers(inbox, service)
    if len(found) > 1:
        inboxes = [_inbox_of(path) for path in found]
        named = ", ".join(
            f"{printable(one or path)}{'' if one is None or one.is_dir() else ' (no longer there)'}"
            for path, one in zip(found, inboxes, strict=True)
        )
        unused = any(one is not None and not one.is_dir() for one in inboxes)
        cure = ". `phototriage forget` removes the ledger of an inbox that is no longer used" if unused else ""
        raise LedgerError(f"There is more than one ledger. Choose one with --inbox: {named}{cure}")
    return found[0]


def root_of(connection: sqlite3.Connection, role: str) -> Path | None:
    """Return the `inbox` or `output` of a ledger; None if its daemon never adopted one."""
    row = connection.execute("SELECT path FROM roots WHERE role = ?", (role,)).fetchone()
    return Path(os.fsdecode(row[0])) if row else None


def roots_of(path: Path) -> tuple[Path | None, Path | None]:
    """Return inbox and output of a ledger; every version of the tables holds them.

    Raises:
        LedgerError: it cannot be read.
    """
    with reader(path, oldest=1) as one:
        return one.ask(lambda connection: (root_of(connection, "inbox"), root_of(connection, "output")))


def _state_folders() -> Iterator[Path]:
    """Yield the folders that may hold a ledger; `state_folder` chooses the folder of a new one."""
    with suppress(RootError):
        own = state_folder(Path("/any"))
        if os.environ.get("STATE_DIRECTORY"):
            yield own
            return
    for parent in _parents():
        yield from _folders(parent)


def _parents() -> list[Path]:
    """Return the folders that hold state folders: of this user, of the user who called sudo, and of the services."""
    found = [SERVICES]
    if user := caller():
        found.insert(0, Path(user.pw_dir) / ".local" / "state" / "phototriage")
    with suppress(RootError):
        found.insert(0, state_folder(Path("/any")).parent)
    return list(dict.fromkeys(found))


def _folders(parent: Path) -> list[Path]:
    try:
        return list(parent.iterdir())
    except OSError:
        return []


def _is_file(path: Path) -> bool:
    return os.access(path, os.R_OK) and path.is_file()


def _inbox_of(path: Path) -> Path | None:
    return roots_of(path)[0]
