"""Held files: the daemon leaves them alone in the inbox, because they were filed as a copy or link, or taken back.

A file is recognized by its inode or by its path. Both can mislead: a new file may get the number of a removed file, and
an edit may keep size and time. Only the time of the last inode change (ctime) cannot be set. While it equals the one in
the ledger, the content is the one that was filed. Otherwise (an edit, but also chmod, touch, a rename, a new link) the
pipeline reads the file like every photo, and its content decides. Then the new times are stored, so that the file is
not read again and again.
"""

import os
import sqlite3
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from daemon.copying.extents import same_content
from daemon.files.identity import SAME_TIME_NS, Identity, numbers_last
from daemon.files.statx import Times, times_of
from daemon.photo import Mode, Photo

UNCHANGED = "it was filed or taken back before, and its content has not changed since"
_CANDIDATES = """
    SELECT *, held = :place AS in_place FROM photos
    WHERE held IS NOT NULL AND undoes IS NULL AND inode = :inode AND size = :size
    AND (mtime_ns = :mtime_ns OR sha256 <> '')
    UNION ALL SELECT *, 1 FROM photos
    WHERE held = :place AND size = :size AND abs(mtime_ns - :mtime_ns) < iif(undoes IS NULL, 1, :same_time_ns)
"""
"""Rows that may describe a file; each half uses an index that contains only held files.

A touched file that has a hash is recognized by its content. A companion with another time counts as another file.
"""


def is_held(ledger: sqlite3.Connection, path: Path, identity: Identity) -> bool:
    """Tell, without reading it, whether a file is certainly a held file.

    A filed file is recognized by inode, size and time wherever it lies. At its own path it is also recognized when its
    device has another number, for example after a restart, or where inode numbers change. A file that was taken back is
    recognized only at its path, until it is changed or renamed.
    """
    rows = _candidates(ledger, path, identity)
    if not rows:
        return False
    times = times_of(path)
    return any(
        _is_it(row, path, identity) and _has_its_time(row, identity) and _is_untouched(row, times) for row in rows
    )


def holds_any(ledger: sqlite3.Connection) -> bool:
    """Tell whether there are held files: in mode `move` only files that were taken back."""
    return ledger.execute("SELECT 1 FROM photos WHERE held IS NOT NULL LIMIT 1").fetchone() is not None


def unchanged(ledger: sqlite3.Connection, photos: Iterable[Photo], now_s: float, wall_s: float) -> list[Photo]:
    """Return the photos that turn out to be held files by their content.

    Args:
        ledger: gets the inode numbers and times of these files.
        photos: photos in the pipeline; those without a hash are companions, or could not be read.
        now_s: monotonic time.
        wall_s: wall time. A file that changed after it was noticed may also have changed after it was read: its times
            are stored when it is read once more.
    """
    found: list[Photo] = []
    updates: list[tuple[int | str | None, ...]] = []
    update = "UPDATE photos SET ctime_ns = ?, btime_ns = ?, device = ?, inode = ?, mtime_ns = ? WHERE id = ?"
    for photo in photos:
        for row in _candidates(ledger, photo.path, photo.found.identity):
            if _has_its_content(row, photo):
                found.append(photo)
                times = times_of(photo.path)
                noticed_ns = 10**9 * (wall_s - (now_s - photo.found.noticed_s))
                if times is not None and (photo.found.on_share or times.changed_ns < noticed_ns):
                    device, inode, _, mtime_ns = photo.found.identity
                    updates.append((*times, str(device), str(inode), mtime_ns, row["id"]))
                break
    if updates:
        with suppress(sqlite3.OperationalError):  # it cannot be written now, so the files are read once more
            ledger.executemany(update, updates)
    return found


def note_times(ledger: sqlite3.Connection, rows: Iterable[int]) -> None:
    """Store the times of held files that were changed by filing itself: by a hard link, or by taking them back."""
    if not holds_any(ledger):
        return
    touched = f"held IS NOT NULL AND (mode = '{Mode.HARDLINK}' OR undoes IS NOT NULL)"
    for row in rows:
        found = ledger.execute(f"SELECT held FROM photos WHERE id = ? AND {touched}", (row,)).fetchone()
        if found is not None and (times := times_of(Path(os.fsdecode(found[0])))) is not None:
            ledger.execute("UPDATE photos SET ctime_ns = ?, btime_ns = ? WHERE id = ?", (*times, row))


def hold_edited(ledger: sqlite3.Connection, row: int, path: Path, identity: Identity) -> None:
    """Record that the held file of a row was edited in place, and that what was filed shows the edit."""
    times = times_of(path)
    if times is not None:
        device, inode, size, mtime_ns = identity
        update = "UPDATE photos SET ctime_ns = ?, btime_ns = ?, device = ?, inode = ?, size = ?, mtime_ns = ?"
        ledger.execute(f"{update} WHERE id = ?", (*times, str(device), str(inode), size, mtime_ns, row))


def keep_replaced(ledger: sqlite3.Connection) -> None:
    """Record where sidecars lie whose place a newer one took: under their hidden names, and held no longer."""
    if ledger.execute("SELECT 1 FROM photos WHERE kept IS NOT NULL LIMIT 1").fetchone() is None:
        return
    done = "FROM photos AS new WHERE new.kept IS NOT NULL AND new.state = new.becomes"
    ledger.execute(
        f"UPDATE photos SET destination = (SELECT new.kept {done} AND new.replaces = photos.id), held = NULL"
        f" WHERE id IN (SELECT new.replaces {done})"
    )
    ledger.execute("UPDATE photos SET kept = NULL WHERE kept IS NOT NULL AND state <> 'intent'")


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
        return True  # the path matches
    if row["inode"] == str(identity.inode):
        return bool(row["in_place"]) or row["device"] == str(identity.device)
    return not numbers_last(path.parent)  # the path matches


def _has_its_time(row: sqlite3.Row, identity: Identity) -> bool:
    return row["undoes"] is not None or bool(row["mtime_ns"] == identity.mtime_ns)


def _is_untouched(row: sqlite3.Row, times: Times | None) -> bool:
    if times is None:
        return True  # removed, or not accessible: then it cannot be read either
    if row["undoes"] is not None and row["concluded_at"] is None:
        return True  # it is being taken back at this moment
    if row["ctime_ns"] is None:  # an earlier version wrote it
        return bool(times.changed_ns <= 1e9 * (row["concluded_at"] or row["intended_at"]))
    return times == (row["ctime_ns"], row["btime_ns"])


def _has_its_content(row: sqlite3.Row, photo: Photo) -> bool:
    if photo.read.sha256 and row["sha256"]:
        return bool(photo.read.sha256 == row["sha256"])
    if not _is_it(row, photo.path, photo.found.identity):
        return False
    # A companion, or a file that cannot be read now. A companion is compared with its copy unless that was edited.
    copy = Path(os.fsdecode(row["destination"]))
    try:
        status = copy.lstat()
        edited = (status.st_size, status.st_mtime_ns) != (photo.found.identity.size, photo.found.identity.mtime_ns)
        return row["mode"] != Mode.COPY or edited or same_content(photo.path, copy)
    except OSError:
        return True
