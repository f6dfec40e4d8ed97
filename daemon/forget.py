"""Forget an inbox: remove its ledger, the models that were put in place for it, and its markers. No photo is touched.

Without this, an inbox that was used once and deleted is asked about by `undo` and named by `doctor` for ever.
"""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from common.errors import PhototriageError
from common.text import printable
from daemon.decode.suspects import JOURNAL
from daemon.files.locks import locked
from daemon.files.marker import MARKER, RootError, read_marker
from daemon.files.mount_points import is_mounted
from daemon.labels.looker import LOCK as LOOK_LOCK
from daemon.labels.store.tree_file import TREE
from daemon.ledger.embeddings import EMBEDDINGS, OLDER
from daemon.ledger.forget_embedding import WITHOUT
from daemon.ledger.movers import LOCKS, is_running, mover_lock
from daemon.ledger.reader import ask_ledger, reader
from daemon.ledger.reading import SERVICES, find_ledgers
from daemon.ledger.recorded_roots import Root
from daemon.ledger.state_folder import LEDGER
from daemon.models.store import MODELS
from daemon.process.sudo import as_caller
from daemon.status.status_thread import LAST_STATUS
from daemon.status.unix_socket import SOCKET_NAME

CONFIGURATIONS = Path("/etc/phototriage")
_FILES = (
    *(SOCKET_NAME, LAST_STATUS, JOURNAL, OLDER, EMBEDDINGS, WITHOUT, TREE, f".{TREE}.part", LOOK_LOCK),
    *(f"{LEDGER}-shm", f"{LEDGER}-wal", LEDGER, *LOCKS.values()),
)
"""What a state folder holds beside models. If the removal is cut off before the ledger, the ledger is found again."""


class ForgetError(PhototriageError):
    """The inbox cannot be forgotten now."""


class Known(NamedTuple):
    """An inbox that a ledger names.

    Attributes:
        state: the folder of the ledger.
        inbox: as it was adopted; None if no daemon ever adopted one.
        output: likewise.
    """

    state: Path
    inbox: Root | None
    output: Root | None

    def name(self) -> Path:
        """Return the path by which people know it: the inbox, or the state folder of a start that failed."""
        return self.inbox.path if self.inbox else self.state


@dataclass(frozen=True, slots=True)
class Memory:
    """What phototriage keeps of one inbox.

    Attributes:
        known: its folders.
        rows: of the ledger.
        held: photos in the inbox that are left alone, because they were taken back, or filed as copies or links.
        markers: the marker files that go too.
    """

    known: Known
    rows: int
    held: int
    markers: tuple[Path, ...]


def known_inboxes() -> list[str]:
    """Return the inboxes that ledgers name, for people: each by its path, and whether it is still there."""
    return sorted(
        f"{printable(known.name())}{'' if known.inbox and known.inbox.path.is_dir() else ' (no longer there)'}"
        for known in _all_known()
    )


def memories_of(inbox: Path) -> list[Memory]:
    """Return what is kept of an inbox, usually one memory; the path of a state folder names that one.

    Raises:
        ForgetError: nothing is known of it, or it must not be forgotten now.
    """
    everything, wanted = _all_known(), inbox.resolve()
    found = [known for known in everything if wanted in (known.state, known.name())]
    if not found:
        names = "; ".join(known_inboxes())
        raise ForgetError(f"No ledger of the inbox {printable(inbox)} is known. Known inboxes: {names}")
    return [_memory(known, [other for other in everything if other is not known]) for known in found]


def forget(memory: Memory) -> str:
    """Remove what is kept; returns what stays, or an empty text.

    Raises:
        ForgetError: a process uses it, or it cannot be removed.
    """
    state = memory.known.state
    with ExitStack() as stack:
        stack.enter_context(as_caller(state))
        _lock(stack, memory.known)
        try:
            for marker in memory.markers:
                marker.unlink(missing_ok=True)
            if (state / MODELS).is_dir() and not (state / MODELS).is_symlink():
                shutil.rmtree(state / MODELS)
            for name in _FILES:
                (state / name).unlink(missing_ok=True)
        except OSError as error:
            raise ForgetError(
                f"{printable(error.filename)} cannot be removed ({error.strerror}). Run this again as the owner of "
                f"{printable(state)}."
            ) from error
    with suppress(OSError):
        state.rmdir()
        return ""
    others = ", ".join(printable(path.name) for path in sorted(state.iterdir()))
    return f"{printable(state)} stays, because it holds other files: {others}" if others else ""


def _lock(stack: ExitStack, known: Known) -> None:
    """Hold every lock, so that nothing moves meanwhile."""
    for mover in LOCKS:
        if not stack.enter_context(mover_lock(known.state, mover)):
            raise ForgetError(_busy(known))
    if known.inbox is not None and (known.inbox.path / MARKER).is_file():
        stack.enter_context(closing(locked(known.inbox.path / MARKER, _busy(known))))


def _memory(known: Known, others: list[Known]) -> Memory:
    if is_running(known.state):
        raise ForgetError(_busy(known))
    if known.state.parent == SERVICES and (CONFIGURATIONS / f"{known.state.name}.toml").exists():
        raise ForgetError(
            f"{printable(known.state)} belongs to the service {known.state.name}, which is installed. Remove both: "
            f"sudo phototriage service uninstall {known.state.name} --purge-state"
        )
    rows, held, unfinished = ask_ledger(known.state / LEDGER, _counts)
    inbox = known.inbox
    if unfinished and inbox is not None and (inbox.path.is_dir() or not is_mounted(inbox.mount)):
        raise ForgetError(
            f"Photos of {printable(inbox.path)} are on their way ({unfinished:,}): a move was cut off, or an "
            "original waits under a hidden name. Run `phototriage sort` there once, which finishes them."
        )
    return Memory(known, rows, held if inbox is not None and inbox.path.is_dir() else 0, tuple(_markers(known, others)))


def _markers(known: Known, others: list[Known]) -> Iterator[Path]:
    """Yield the markers of the two folders. That of an output stays if another inbox may be filing into it."""
    if known.inbox is not None and _is_marked(known.inbox):
        yield known.inbox.path / MARKER
    output = known.output
    if output is None or not _is_marked(output):
        return
    used = any(other.output is not None and other.output.marker == output.marker for other in others)
    # Without its marker an output is no longer filed into, so it goes only if this user sees all ledgers of its owner.
    owners = {(output.path / MARKER).lstat().st_uid, (known.state / LEDGER).stat().st_uid}
    if not used and len(owners) == 1 and not os.environ.get("STATE_DIRECTORY"):
        yield output.path / MARKER


def _is_marked(root: Root) -> bool:
    try:
        return read_marker(root.path) == root.marker
    except RootError:
        return False


def _busy(known: Known) -> str:
    return f"A phototriage is running on {printable(known.name())}. Stop it, then forget the inbox."


def _counts(connection: sqlite3.Connection) -> tuple[int, int, int]:
    counts = "count(*), coalesce(sum(held IS NOT NULL), 0), coalesce(sum(state = 'intent'), 0)"
    rows, held, open_ = connection.execute(f"SELECT {counts} FROM photos").fetchone()
    (leaving,) = connection.execute("SELECT count(*) FROM leaving").fetchone()
    return rows, held, open_ + leaving


def _all_known() -> list[Known]:
    found = []
    for ledger in find_ledgers(None):
        with suppress(PhototriageError), reader(ledger, oldest=1) as one:
            roots = one.ask(_roots)
            found.append(Known(ledger.parent, roots.get("inbox"), roots.get("output")))
    return found


def _roots(connection: sqlite3.Connection) -> dict[str, Root]:
    rows = connection.execute("SELECT role, marker, mount, path FROM roots").fetchall()
    return {role: Root(marker, *map(Path, map(os.fsdecode, paths))) for role, marker, *paths in rows}
