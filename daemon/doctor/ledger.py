"""Check the ledger of an inbox, read-only: is it undamaged, of this version, and is any photo unfinished?"""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from common.errors import PhototriageError
from common.text import printable
from daemon.doctor.finding import Finding, fault, ok, quoted, warning
from daemon.files.mounts import mount_of
from daemon.ledger.ledger import CHECKED_BYTES
from daemon.ledger.reader import ask_ledger
from daemon.ledger.schema import MIGRATIONS


def look_at_ledger(path: Path) -> Iterator[Finding]:
    """Check a ledger and its folder.

    Args:
        path: of the ledger, which may not exist yet.
    """
    folder = next(folder for folder in path.parents if folder.is_dir())  # the nearest one that exists
    mount = mount_of(folder)
    if mount and mount.is_share:
        yield warning(
            "ledger", f"{printable(folder)} is on a share ({mount.kind}), so the ledger is written without SQLite's "
            "write-ahead log: slower, and only one machine at a time may use it",
            "if you can, set XDG_STATE_HOME (or STATE_DIRECTORY) to a folder on a local disk",
        )  # fmt: skip
    if not path.exists():
        yield ok("ledger", f"none yet; the first start creates one in {printable(path.parent)}")
        return
    size = path.stat().st_size
    try:
        found, rows, open_ = ask_ledger(path, lambda connection: _facts(connection, size <= CHECKED_BYTES))
    except PhototriageError as error:
        yield fault("ledger", str(error), "see the line above")
        return
    if found != "ok":
        yield fault(
            "ledger",
            f"{printable(path)} is damaged: {printable(found)}",
            f"mv {quoted(path)} {quoted(f'{path}.damaged')}",
        )
        return
    checked = (
        "undamaged" if size <= CHECKED_BYTES else f"not checked, because it is larger than {CHECKED_BYTES >> 20} MiB"
    )
    yield ok("ledger", f"{printable(path)}: {checked}, version {len(MIGRATIONS)}, {rows:,} rows, {size / 1e6:.1f} MB")
    if open_:
        yield warning(
            "ledger", f"{open_} photos are being filed, or were when the last run was interrupted",
            "start the daemon, which finishes them; if it is running, this is normal",
        )  # fmt: skip


def _facts(connection: sqlite3.Connection, checked: bool) -> tuple[str, int, int]:
    """Return whether the ledger is undamaged (`ok`), and how many rows and unfinished photos it has."""
    found = "ok"
    if checked:
        (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    (rows,) = connection.execute("SELECT count(*) FROM photos").fetchone()
    (open_,) = connection.execute("SELECT count(*) FROM photos WHERE state = 'intent'").fetchone()
    return found, rows, open_
