"""Looks at one output on behalf of one ledger: lists, compares, and writes what was found.

The daemon looks once a minute; commands about labels look when they are called. A lock keeps looks apart. The ledger is
written before the tree is kept. After a kill in between, the next look compares with an older tree than the ledger's
places come from: then each row is looked for in its place, because its folder may look as it did before.
"""

import os
import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from common.text import printable
from daemon.files.locks import take_lock
from daemon.files.marker import RootError, read_marker
from daemon.labels.findings import Findings
from daemon.labels.listed.lister import list_output
from daemon.labels.listed.tree import EMPTY, Tree
from daemon.labels.look import look
from daemon.labels.rows import Contents, RowId, Sighting
from daemon.labels.store import tree_file
from daemon.labels.store.apply import Applier, Said, sightings_in
from daemon.labels.store.description import end_renamings, folders_of
from daemon.labels.store.known_rows import AllRows, LedgerRows
from daemon.labels.store.place_new import New, forget_new, newest, place_new
from daemon.labels.store.tree_file import Seen
from daemon.ledger.errors import LedgerError
from daemon.ledger.reader import LedgerReader, reader
from daemon.ledger.recorded_roots import LedgerRoots
from daemon.ledger.transaction import Transaction

LOCK = "look-lock"
"""Name of the lock beside the ledger; its time of change tells when the last look was."""
SMALL = 50_000
"""Up to so many files the tree is kept after each look that found a change; a larger one every few minutes."""
KEEP_S = 600.0


class Looked(NamedTuple):
    """What one look did.

    Attributes:
        said: labels, and labels that were taken back.
        questions: how many new questions there are.
        obstacle: why the output could not be looked at; empty if it was.
        why_not: why folders cannot teach under this layout; empty if they can.
        unkept: why what was seen could not be kept for the next process; empty if it was, or need not be.
    """

    said: Sequence[Said] = ()
    questions: int = 0
    obstacle: str = ""
    why_not: str = ""
    unkept: str = ""


class Looker:
    """Looks again and again; used by one thread.

    Args:
        ledger: its file, of this version.
        contents: reads files of the output.
        others: returns the other ledgers of the output.
        left_out: folders that are not looked into, such as inboxes.
    """

    def __init__(
        self,
        ledger: Path,
        contents: Contents,
        others: Callable[[], Collection[Path]] = tuple,
        left_out: Collection[Path] = (),
    ) -> None:
        self._ledger, self._contents, self._others, self._left_out = ledger, contents, others, left_out
        self._state, self._name = ledger.parent, str(ledger)
        self._seen: Seen | None = None
        self._stamp: tuple[int, int, int] | None = None
        self._kept_s, self._is_kept = 0.0, True

    def look(self, now_s: float) -> Looked | None:
        """Look once; None if another process looks now.

        Args:
            now_s: wall time in seconds since 1970.

        Raises:
            sqlite3.Error, OSError: the ledger or the output cannot be used now.
        """
        root = LedgerRoots(self._ledger).get("output")
        if root is None:
            return Looked()
        with _locked(self._state / LOCK) as free:
            if not free:
                return None
            with closing(_connect(self._ledger)) as connection:
                return self._look(connection, root.path, root.marker, now_s)

    @property
    def tree(self) -> Tree:
        """The output as the last look saw it; empty before the first one."""
        return EMPTY if self._seen is None else self._seen.tree

    def keep(self) -> None:
        """Keep what was seen, if a large tree was not kept after its last look."""
        if not self._is_kept and self._seen is not None:
            with suppress(OSError):
                tree_file.save(self._state, self._seen)
                self._is_kept = True

    def _look(self, connection: sqlite3.Connection, output: Path, marker: str, now_s: float) -> Looked:
        obstacle = _obstacle(output, marker)
        number, was_interrupted = connection.execute("SELECT number, was_interrupted FROM look").fetchone()
        if obstacle:
            if not was_interrupted:
                connection.execute("UPDATE look SET was_interrupted = 1")
            return Looked(obstacle=obstacle)
        seen = self._last_seen()
        before = EMPTY if seen is None else seen.tree
        interrupted = bool(was_interrupted) or (seen is not None and (seen.number > number or seen.marker != marker))
        folders = folders_of(connection)
        listed = newest(connection)
        tree = list_output(output, before, now_s, self._left_out)
        new = place_new(connection, output, folders, listed)
        sightings = sightings_in(connection, self._name)
        is_behind = seen is None or seen.number != number
        with self._all_rows(connection, new, all_young=interrupted or is_behind) as known:
            found = look(known, before, tree, sightings, folders, self._contents, now_s, was_interrupted=interrupted)
        said: list[Said] = []
        if tree.folders != before.folders or new.young_to or _is_news(found, sightings) or was_interrupted:
            number += 1
            with Transaction(connection):
                said = Applier(connection, self._name, folders, now_s).apply(found, sightings)
                forget_new(connection, new)
                end_renamings(connection, folders, tree.folders.keys())
                connection.execute("UPDATE look SET number = ?, at = ?, was_interrupted = 0", (number, now_s))
        is_changed = seen is None or seen.number != number
        unkept = self._keep(Seen(number, marker, tree), is_changed=is_changed, now_s=now_s)
        return Looked(said, len(found.questions), why_not=folders.why_not, unkept=unkept)

    @contextmanager
    def _all_rows(self, connection: sqlite3.Connection, new: New, *, all_young: bool) -> Iterator[AllRows]:
        ask = partial(_asked, connection)
        own = LedgerRows(self._name, ask, fresh=new.fresh, young_to=new.young_to, all_young=all_young)
        with _readers(self._others) as others:
            yield AllRows(own, others)

    def _last_seen(self) -> Seen | None:
        """Return what was seen last, also by another process."""
        stamp = _stamp(self._state / tree_file.TREE)
        if self._seen is None or stamp != self._stamp:
            self._seen, self._stamp = tree_file.load(self._state), stamp
        return self._seen

    def _keep(self, seen: Seen, *, is_changed: bool, now_s: float) -> str:
        """Keep what was seen; returns why that failed. Nothing is lost then, as after a kill."""
        self._seen = seen
        self._is_kept &= not is_changed
        size = sum(len(folder.listing) for folder in seen.tree.folders.values()) if is_changed else 0
        if self._is_kept or (size > SMALL and abs(now_s - self._kept_s) < KEEP_S):
            return ""
        try:
            tree_file.save(self._state, seen)
        except OSError as error:
            return f"what a look for labels saw cannot be kept ({printable(str(error))})"
        self._is_kept, self._kept_s, self._stamp = True, now_s, _stamp(self._state / tree_file.TREE)
        return ""


def last_look_s(state: Path) -> float | None:
    """Return when the last look was, in seconds since 1970; None before the first one."""
    with suppress(OSError):
        return (state / LOCK).stat().st_mtime
    return None


def _obstacle(output: Path, marker: str) -> str:
    try:
        found = read_marker(output)
    except RootError as error:
        return str(error)
    if found is None:
        return "the output is away or has lost its marker"
    return "" if found == marker else "the output is another folder than the one that photos were filed into"


def _is_news(found: Findings, sightings: "dict[RowId, Sighting]") -> bool:
    told = (found.labels, found.taken_back, found.noted, found.gone, found.questions)
    return any(told) or dict(found.sightings) != sightings


def _asked(connection: sqlite3.Connection, question: "Callable[[sqlite3.Connection], Any]") -> Any:
    return question(connection)


@contextmanager
def _readers(others: Callable[[], Collection[Path]]) -> "Iterator[Callable[[], list[LedgerRows]]]":
    """Yield what opens the other ledgers; one that cannot be read knows nothing."""
    with ExitStack() as stack:

        def _opened() -> list[LedgerRows]:
            found: list[tuple[Path, LedgerReader]] = []
            for path in others():
                with suppress(LedgerError):
                    found.append((path, stack.enter_context(reader(path))))
            return [LedgerRows(str(path), one.ask) for path, one in found]

        yield _opened


def _connect(ledger: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(ledger, isolation_level=None)
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def _stamp(path: Path) -> tuple[int, int, int] | None:
    with suppress(OSError):
        status = path.stat()
        return status.st_ino, status.st_size, status.st_mtime_ns
    return None


@contextmanager
def _locked(lock: Path) -> Iterator[bool]:
    """Hold the lock for the block; yields False if another process holds it."""
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    try:
        is_free = take_lock(descriptor)
        yield is_free
        if is_free:
            os.utime(descriptor)
    finally:
        os.close(descriptor)
