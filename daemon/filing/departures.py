"""Originals that wait a minute under a hidden name after they were copied: checked, then removed or returned.

An unchanged original is removed. A changed original returns to the inbox: its copy was made too early, so the copy is
removed, the row says so, and the whole file is filed like any other. After a crash the next check continues, because
the ledger forgets an original last: first its row stops saying `filed`, then the copy is removed, then the original
gets its name back. An original that cannot be checked now, for example on a mount that is away, waits for a later
check.
"""

import os
import sqlite3
import threading
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from pathlib import Path

from common.text import printable
from daemon.files.confined import open_folder
from daemon.files.identity import is_on_share, look_at, sha256_of
from daemon.files.names import free_name
from daemon.files.open_writers import is_held_open
from daemon.files.rename import rename_noreplace
from daemon.files.sync import sync_folder
from daemon.filing.failure_note import may_have_note, reason_in_note, remove_failure_note
from daemon.filing.move import TRIES_OF_A_NAME
from daemon.filing.original_state import is_grown, is_its_folder, is_unchanged
from daemon.ledger.intent import Intent, intent_of
from daemon.ledger.leaving import WAIT_S, LeavingOriginal, hidden_original, leaving_in
from daemon.ledger.transaction import Transaction
from daemon.photo import Outcome
from daemon.process.clock import Clock
from daemon.process.parallel import SHARE_TOGETHER, for_each

LOOK_S = 5.0
TOGETHER = 128
LOOK_BUDGET_S = 0.5
"""How long one round of checks may take: originals are read. The next round continues."""
GREW = "its writer went on after it was filed; the whole file went back to the inbox"
_DUE = (
    "SELECT * FROM leaving JOIN photos ON photos.id = leaving.photo WHERE due_at <= :now OR due_at > :now + :longest"
    " ORDER BY due_at LIMIT :most"
)

_TAKEN_BACK = (
    "SELECT * FROM photos WHERE undoes = ? AND state IN ('intent', 'undone', 'retried') ORDER BY id DESC LIMIT 1"
)
_UNSEEN = "SELECT count(*), coalesce(max(due_at), 0.0) FROM leaving WHERE looks = 0"


class Departures:
    """Checks originals whose minute is over; used by one thread, with its own connections.

    Args:
        ledger: its file; a `Ledger` must have opened it before.
        clock: time.
        came_back: called with the path of an original that returned to the inbox.
        say: called with one sentence for the user.
    """

    def __init__(
        self, ledger: Path, clock: Clock, returned: Callable[[Path], None], say: Callable[[str], None]
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._returned = returned
        self._say = say
        self._next_s = 0.0
        self._said_s = 0.0
        self._back = False

    def look(self) -> None:
        """Check the originals that are due, at most every few seconds."""
        now_s = self._clock.monotonic_s()
        if now_s < self._next_s:
            return
        self._next_s = now_s + LOOK_S
        if self._resolve_some():
            self._next_s = now_s

    def wait_s(self) -> float | None:
        """Return how long a single pass must wait for originals that were never checked; None if there are none."""
        self._back = False
        while self._resolve_some():
            pass
        if self._back:
            return 0.0
        now_s, count, last_s = self._clock.wall_s(), 0, 0.0
        with suppress(sqlite3.Error), closing(_connect(self._ledger)) as connection:
            count, last_s = connection.execute(_UNSEEN).fetchone()
        if last_s <= now_s:
            return None
        wait_s: float = min(WAIT_S, last_s - now_s)
        if last_s > self._said_s:
            self._said_s = last_s
            self._say(
                f"a program may still write to {count} original{'s' * (count != 1)}, and the kernel cannot tell: "
                f"checking again in {wait_s:.0f} s, or at the next start if stopped"
            )
        return wait_s

    def nothing_to_wait_for(self, stopping: threading.Event) -> bool:
        """Tell whether a single pass has nothing to wait for; else wait until the time is over or the event is set."""
        wait_s = self.wait_s()
        if wait_s is not None:
            stopping.wait(wait_s)
        return wait_s is None

    def _resolve_some(self) -> bool:
        """Check some of the originals that are due; tells whether more may be due."""
        try:
            with closing(_connect(self._ledger)) as connection:
                due = self._due(connection)
                return self._resolve(connection, due) < len(due) or len(due) == TOGETHER
        except sqlite3.Error:  # it cannot be read or written now, as the filer says too: all wait
            return False

    def _due(self, connection: sqlite3.Connection) -> list[sqlite3.Row]:
        facts = {"now": self._clock.wall_s(), "longest": 2 * WAIT_S, "most": TOGETHER}  # a clock that was set back
        return connection.execute(_DUE, facts).fetchall()

    def _resolve(self, connection: sqlite3.Connection, rows: list[sqlite3.Row]) -> int:
        """Check originals until the time of one round is over; returns how many were checked."""
        end_s = self._clock.monotonic_s() + LOOK_BUDGET_S
        ended: list[int] = []
        later: list[int] = []
        folders: set[Path] = set()

        def _look_at_one(row: sqlite3.Row) -> None:
            if self._clock.monotonic_s() >= end_s:
                return  # the next round continues with it
            intent = intent_of(row)
            is_back = row["state"] == Outcome.GONE.value
            try:
                is_over = self._look_at(connection, row["photo"], intent, leaving_in(row), is_back=is_back)
            except OSError:
                is_over = False
            (ended if is_over else later).append(row["photo"])
            if is_over:
                folders.add(intent.source.parent)

        on_share = any(is_on_share(place) for place in {Path(os.fsdecode(row["source"])).parent for row in rows})
        for_each(rows, _look_at_one, SHARE_TOGETHER if on_share else 1, "departure", None)
        for folder in folders:
            with suppress(FileNotFoundError, NotADirectoryError):  # its owner removed the folder
                sync_folder(folder)
        again_s = self._clock.wall_s() + WAIT_S
        if rows:
            with Transaction(connection):
                connection.executemany("DELETE FROM leaving WHERE photo = ?", [(one,) for one in ended])
                connection.executemany(
                    "UPDATE leaving SET due_at = ?, looks = looks + 1 WHERE photo = ?",
                    [(again_s, one) for one in later],
                )
        return len(ended) + len(later)

    def _look_at(
        self, connection: sqlite3.Connection, photo: int, intent: Intent, leaving: LeavingOriginal, *, is_back: bool
    ) -> bool:
        """Remove one original or return it to the inbox; False if it still waits."""
        with ExitStack() as stack:
            try:
                folder = stack.enter_context(open_folder(Path("/"), intent.source.parent.relative_to("/")))
            except (FileNotFoundError, NotADirectoryError):
                return False  # its mount may be away
            hidden = folder / hidden_original(intent.source, intent.identity).name
            try:
                status = hidden.lstat()
            except FileNotFoundError:
                return is_its_folder(folder.stat(), intent, leaving)
            on_share = is_on_share(folder)
            if not on_share and is_held_open(hidden):
                return False
            back = connection.execute(_TAKEN_BACK, (photo,)).fetchone()
            if not is_back and is_unchanged(hidden, status, intent, leaving, on_share=on_share):
                hidden.unlink()
                return True
            if back is not None and back["state"] == "intent":
                return False  # undo is moving the early copy now, so its new place is not known yet
            connection.execute(
                "UPDATE photos SET state = ?, reason = ?, concluded_at = ? WHERE id = ?",
                (Outcome.GONE.value, GREW, self._clock.wall_s(), photo),
            )
            if is_grown(status, intent):
                _remove_copy(intent, leaving)
                if back is not None:
                    _remove_taken_back(folder, intent_of(back), intent)
            home = intent.source.parent / _named_again(hidden, folder, intent.source.name)
        self._back = True
        self._say(f"{printable(home.name)} is in the inbox again: {GREW}")
        self._returned(home)
        return True


def _connect(ledger: Path) -> sqlite3.Connection:
    # Several threads share this connection while they check originals on a share; SQLite serializes them.
    connection = sqlite3.connect(ledger, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA synchronous = FULL")
    connection.row_factory = sqlite3.Row
    return connection


def _remove_copy(intent: Intent, leaving: LeavingOriginal) -> None:
    """Remove the early copy, but only if the file is exactly ours: the owner may have changed or moved it."""
    copy = intent.destination
    try:
        status = copy.lstat()
    except FileNotFoundError:
        return
    ours = (status.st_dev, status.st_ino, status.st_size) == (
        leaving.copy_device,
        leaving.copy_inode,
        intent.identity.size,
    )
    if not ours or is_held_open(copy) or (intent.sha256 and sha256_of(copy) != intent.sha256):
        return
    copy.unlink()
    if may_have_note(intent):
        with suppress(OSError):  # a leftover note does no harm
            remove_failure_note(copy, intent.source.name, reason_in_note(intent))
    sync_folder(copy.parent)


def _remove_taken_back(folder: Path, back: Intent, intent: Intent) -> None:
    """Remove an early copy that `undo` or `retry` took back, but only if the file is unchanged."""
    path = folder / back.destination.name
    found = look_at(path)
    if back.destination.parent != intent.source.parent or found is None or found.size != intent.identity.size:
        return
    if intent.sha256 and not is_held_open(path) and sha256_of(path) == intent.sha256:
        path.unlink()


def _named_again(hidden: Path, folder: Path, name: str) -> str:
    tried: set[Path] = set()
    while True:
        home = free_name(folder, name, tried.__contains__)
        try:
            rename_noreplace(hidden, home)
        except FileExistsError:
            tried.add(home)
            if len(tried) == TRIES_OF_A_NAME:
                raise
        else:
            return home.name
