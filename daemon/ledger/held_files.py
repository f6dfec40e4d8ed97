"""What the daemon leaves alone in the inbox: files that were filed as a copy or link, or taken back.

A file is known by its inode, or by its place. Both can lie: a new file gets the number of one that went, and an edit
may keep size and time. What nobody can set is the time at which the kernel last changed the inode. While that is the
one that the ledger keeps, the content is the one that was filed. Else (an edit, but also chmod, touch, a rename, a new
link) the file goes the way of every photo, on which it is read, and its content decides: then the new times are kept,
so that it is not read again and again.
"""

import os
import sqlite3
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from daemon.copying.extents import same_content
from daemon.files.identity import Identity, numbers_last
from daemon.files.statx import Times, times_of
from daemon.photo import Mode, Photo

SAME_TIME_NS = 2_000_000_000
"""File systems of cards and sticks keep times to two seconds: a photo that is taken back there gets another one."""
UNCHANGED = "it was filed or taken back before, and its content has not changed since"
_CANDIDATES = """
    SELECT *, held = :place AS in_place FROM photos
    WHERE held IS NOT NULL AND undoes IS NULL AND inode = :inode AND size = :size
    AND (mtime_ns = :mtime_ns OR sha256 <> '')
    UNION ALL SELECT *, 1 FROM photos
    WHERE held = :place AND size = :size AND abs(mtime_ns - :mtime_ns) < iif(undoes IS NULL, 1, :same_time_ns)
"""
"""Rows of which a file may be the one; both halves have an index that holds rows of held files alone.

Of a file that was touched, with a hash, the content tells; a companion with another time is another one.
"""


def is_held(ledger: sqlite3.Connection, path: Path, identity: Identity) -> bool:
    """Tell whether a file is surely one that is to be left alone; without reading it.

    A file that was filed is known by inode, size and time wherever it lies, and in its place also when its device has
    another number, as after a restart, or where numbers of files do not last. One that was taken back is known in its
    place alone, until it is changed or renamed.
    """
    rows = _candidates(ledger, path, identity)
    if not rows:
        return False
    times = times_of(path)
    return any(
        _is_it(row, path, identity) and _has_its_time(row, identity) and _is_untouched(row, times) for row in rows
    )


def holds_any(ledger: sqlite3.Connection) -> bool:
    """Tell whether any file is to be left alone: where photos are moved, none is but those that were taken back."""
    return ledger.execute("SELECT 1 FROM photos WHERE held IS NOT NULL LIMIT 1").fetchone() is not None


def unchanged(ledger: sqlite3.Connection, photos: Iterable[Photo], now_s: float, wall_s: float) -> list[Photo]:
    """Return those of some photos that are held files after all, by the content that was read.

    Args:
        ledger: it is told the numbers of these, and when they were changed.
        photos: on their way; those without a hash are companions, or could not be read.
        now_s: monotonic time.
        wall_s: wall time. What was changed after it was noticed may have been changed after it was read, too: its time
            is kept when it is read once more.
    """
    found: list[Photo] = []
    told: list[tuple[int | str | None, ...]] = []
    tell = "UPDATE photos SET ctime_ns = ?, btime_ns = ?, device = ?, inode = ?, mtime_ns = ? WHERE id = ?"
    for photo in photos:
        for row in _candidates(ledger, photo.path, photo.identity):
            if _has_its_content(row, photo):
                found.append(photo)
                times = times_of(photo.path)
                noticed_ns = 10**9 * (wall_s - (now_s - photo.noticed_s))
                if times is not None and (photo.on_share or times.changed_ns < noticed_ns):
                    device, inode, _, mtime_ns = photo.identity
                    told.append((*times, str(device), str(inode), mtime_ns, row["id"]))
                break
    if told:
        with suppress(sqlite3.OperationalError):  # it cannot be written now: then they are read once more
            ledger.executemany(tell, told)
    return found


def note_times(ledger: sqlite3.Connection, rows: Iterable[int]) -> None:
    """Keep the times of held files that filing itself touched last: by a hard link, or by taking them back."""
    if not holds_any(ledger):
        return
    touched = f"held IS NOT NULL AND (mode = '{Mode.HARDLINK}' OR undoes IS NOT NULL)"
    for row in rows:
        found = ledger.execute(f"SELECT held FROM photos WHERE id = ? AND {touched}", (row,)).fetchone()
        if found is not None and (times := times_of(Path(os.fsdecode(found[0])))) is not None:
            ledger.execute("UPDATE photos SET ctime_ns = ?, btime_ns = ? WHERE id = ?", (*times, row))


def _candidates(ledger: sqlite3.Connection, path: Path, identity: Identity) -> list[sqlite3.Row]:
    cursor = ledger.cursor()
    cursor.row_factory = sqlite3.Row
    facts: dict[str, str | bytes | int] = {
        "place": os.fsencode(path), "inode": str(identity.inode), "size": identity.size, "mtime_ns": identity.mtime_ns,
        "same_time_ns": SAME_TIME_NS,
    }  # fmt: skip
    return cursor.execute(_CANDIDATES, facts).fetchall()


def _is_it(row: sqlite3.Row, path: Path, identity: Identity) -> bool:
    if row["undoes"] is not None:
        return True  # in its place
    if row["inode"] == str(identity.inode):
        return bool(row["in_place"]) or row["device"] == str(identity.device)
    return not numbers_last(path.parent)  # in its place


def _has_its_time(row: sqlite3.Row, identity: Identity) -> bool:
    return row["undoes"] is not None or bool(row["mtime_ns"] == identity.mtime_ns)


def _is_untouched(row: sqlite3.Row, times: Times | None) -> bool:
    if times is None:
        return True  # it went, or cannot be looked at: then it cannot be read either
    if row["undoes"] is not None and row["concluded_at"] is None:
        return True  # it is on its way back at this moment
    if row["ctime_ns"] is None:  # an earlier version wrote it
        return bool(times.changed_ns <= 1e9 * (row["concluded_at"] or row["intended_at"]))
    return times == (row["ctime_ns"], row["btime_ns"])


def _has_its_content(row: sqlite3.Row, photo: Photo) -> bool:
    if photo.sha256 and row["sha256"]:
        return bool(photo.sha256 == row["sha256"])
    if not _is_it(row, photo.path, photo.identity):
        return False
    # A companion, or what cannot be read now. The copy of a companion is held against it, unless that was edited.
    copy = Path(os.fsdecode(row["destination"]))
    try:
        status = copy.lstat()
        edited = (status.st_size, status.st_mtime_ns) != (photo.identity.size, photo.identity.mtime_ns)
        return row["mode"] != Mode.COPY or edited or same_content(photo.path, copy)
    except OSError:
        return True
