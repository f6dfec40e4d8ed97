"""Ask a ledger questions without writing to it, while its daemon runs or after it stopped.

If SQLite opens the ledger of a stopped daemon, it needs write permission and leaves files beside it that disturb the
next daemon. So what lies beside the ledger decides how it is read:

1. `-shm`: a daemon runs, or was killed. The ledger is read in place, with its log.
2. No `-wal`: it was closed. It is read in place as a file that does not change (`immutable`). No lock keeps a daemon
   from starting meanwhile, so the files are compared afterwards. If they changed, the question is asked once more and
   the first answer dropped.
3. Otherwise, or if an older version wrote it, a copy is made, migrated and read.

A ledger without a log (on a share) is read in place under SQLite's locks.

Each question has a connection of its own. One that stayed open would let the log grow while a reader pauses, and would
keep a daemon that stops from tidying its files.
"""

import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from common.text import printable
from daemon.ledger.errors import LedgerError, unusable
from daemon.ledger.queries import Record, RecordFilter, select
from daemon.ledger.schema import MIGRATIONS, migrate
from daemon.ledger.state_folder import LEDGER

TRIES = 20
"""How often a question, or a copy, is repeated because the ledger was written meanwhile."""
PAGE = 500
"""How many photos one question reads."""
_LOG_BYTE = 18
"""Offset of the byte in SQLite's header that is 2 if the ledger has a write-ahead log (sqlite.org/fileformat2.html)."""
Answer = TypeVar("Answer")
Part = TypeVar("Part")
_Stamps = dict[str, tuple[int, int, int, int]]


class LedgerReader:
    """Answers questions from one ledger; `reader` makes one.

    Args:
        path: of the ledger.
        stack: removes the copy at its end, if one is made.
        oldest: the oldest version of the tables that its questions understand; a ledger older than that is migrated.
    """

    def __init__(self, path: Path, stack: ExitStack, oldest: int) -> None:
        self._path = path
        self._stack = stack
        self._oldest = oldest
        self._copy: Path | None = None

    def ask(self, question: Callable[[sqlite3.Connection], Answer]) -> Answer:
        """Return the answer of a question; columns can be read by name.

        Args:
            question: called with a connection, perhaps more than once; must not return what still reads from it.

        Raises:
            LedgerError: the ledger cannot be read, is damaged, or was written by a newer version.
        """
        for _ in range(TRIES):
            before = _stamps(self._path)
            fixed = False
            try:
                fixed = self._copy is None and not {"-wal", "-shm"} & before.keys() and _has_log(self._path)
                with closing(self._opened(before, fixed)) as connection:
                    connection.row_factory = sqlite3.Row
                    answer = question(connection)
            except (OSError, sqlite3.Error, ValueError, TypeError) as error:  # half-written pages can read as anything
                after = _stamps(self._path)
                if after.keys() != before.keys() or (fixed and after != before):
                    continue
                if isinstance(error, OSError | sqlite3.Error):
                    raise unusable(self._path, error) from error
                raise
            if not fixed or _stamps(self._path) == before:
                return answer
        raise LedgerError(f"The ledger {printable(self._path)} changes faster than it can be read. Try again.")

    def _opened(self, stamps: _Stamps, fixed: bool) -> sqlite3.Connection:
        """Open the ledger or its copy.

        Args:
            stamps: of the files.
            fixed: whether no process has the ledger open, and none was killed.
        """
        connection = None
        if self._copy is None and ("-wal" not in stamps or "-shm" in stamps):
            connection = self._opened_in_place("mode=ro&immutable=1" if fixed else "mode=ro")
        return connection or self._opened_copy()

    def _opened_in_place(self, how: str) -> sqlite3.Connection | None:
        """Open the ledger in place; None if it must be copied."""
        connection = sqlite3.connect(f"{self._path.as_uri()}?{how}", uri=True, isolation_level=None)
        try:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version > len(MIGRATIONS):
                migrate(connection, self._path)  # refuses it
            if version >= self._oldest:
                return connection
        except sqlite3.OperationalError:  # left by a killed daemon, and this user may not repair it
            pass
        except BaseException:
            connection.close()
            raise
        connection.close()
        return None

    def _opened_copy(self) -> sqlite3.Connection:
        if self._copy is None:
            folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="phototriage-")))
            _copy(self._path, folder / LEDGER)
            with closing(sqlite3.connect(folder / LEDGER, isolation_level=None)) as connection:
                migrate(connection, self._path)
            self._copy = folder / LEDGER
        return sqlite3.connect(self._copy, isolation_level=None)


@contextmanager
def reader(path: Path, oldest: int = len(MIGRATIONS)) -> Iterator[LedgerReader]:
    """Yield what answers questions from a ledger; for several questions, so that at most one copy is made."""
    with ExitStack() as stack:
        yield LedgerReader(path, stack, oldest)


def ask_ledger(path: Path, question: Callable[[sqlite3.Connection], Answer]) -> Answer:
    """Return the answer of one question (`LedgerReader.ask`)."""
    with reader(path) as one:
        return one.ask(question)


def photos(
    path: Path, which: RecordFilter, limit: int, part: Callable[[sqlite3.Connection, Record], Part]
) -> Iterator[Part]:
    """Yield what `part` makes of each selected photo, youngest first, a page at a time.

    Nothing is held between pages: whoever takes the photos may pause, and may change them.

    Args:
        path: of the ledger.
        which: selects photos.
        limit: how many; negative for all.
        part: called with each photo while its page is read.
    """
    before = None
    with reader(path) as one:
        while limit:
            most = PAGE if limit < 0 else min(PAGE, limit)

            def _page(
                connection: sqlite3.Connection, most: int = most, before: int | None = before
            ) -> list[tuple[int, Part]]:
                found = select(connection, which, most, before)
                return [(record.row, part(connection, record)) for record in found]

            found = one.ask(_page)
            yield from (made for _, made in found)
            if len(found) < most:
                return
            before = found[-1][0]
            limit -= most if limit > 0 else 0


def records(path: Path, which: RecordFilter, limit: int = -1) -> Iterator[Record]:
    """Yield the selected photos, youngest first, a page at a time; at most `limit`."""
    return photos(path, which, limit, lambda _, record: record)


def _has_log(path: Path) -> bool:
    """Tell whether the ledger has a write-ahead log while it is open."""
    with path.open("rb") as file:
        return file.read(_LOG_BYTE + 1)[_LOG_BYTE:] != b"\x01"


def _copy(path: Path, copy: Path) -> None:
    for _ in range(TRIES):
        before = _stamps(path)
        for ending in before.keys() - {"-shm"}:
            shutil.copyfile(f"{path}{ending}", f"{copy}{ending}")
        if _stamps(path) == before:
            return
        for ending in before.keys() - {"-shm"}:
            Path(f"{copy}{ending}").unlink()
    raise LedgerError(f"The ledger {printable(path)} changes faster than it can be copied. Try again.")


def _stamps(path: Path) -> _Stamps:
    """Return size and times of the ledger's files, by the ending of their names."""
    stamps = {}
    for ending in ("", "-wal", "-shm", "-journal"):
        with suppress(FileNotFoundError):
            status = Path(f"{path}{ending}").stat()
            # the index changes with each reader
            changed = (0, 0) if ending == "-shm" else (status.st_mtime_ns, status.st_ctime_ns)
            stamps[ending] = (status.st_ino, 0 if ending == "-shm" else status.st_size, *changed)
    return stamps
