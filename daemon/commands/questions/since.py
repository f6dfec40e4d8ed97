"""What became of a photo since its row was written: where it lies now, in words."""

import stat
from collections.abc import Collection, Sequence
from pathlib import Path

from common.text import printable
from daemon.commands.questions.asked import AskedFile
from daemon.commands.questions.row import LedgerRow, said_words
from daemon.commands.questions.said import last_move
from daemon.files.identity import Identity, sha256_of
from daemon.filing.companions.replaced import is_kept
from daemon.ledger.queries import MOVED, TAKEN_BACK, Record
from daemon.ledger.since.places import is_photo_of
from daemon.photo import Mode, Outcome
from daemon.process.clock import local

GONE = "it is no longer there: someone else moved, renamed or removed it"


def answer(asked: AskedFile, rows: Sequence[LedgerRow]) -> str:
    """Return one sentence about the file that was asked about, before its rows are shown.

    Args:
        asked: the file.
        rows: all that is known of it, oldest first; at least one.
    """
    name = printable(asked.named.name)
    if (row := _as_companion(asked, rows)) is not None:
        return _about_companion(name, asked, row)
    own = [row for row in rows if asked.is_of(row.record)]
    if own:
        return _about_own(name, asked, min(own, key=lambda row: _order(asked, row)), rows)
    last = outcome_words(rows[-1].record)
    if asked.identity is None:
        photo = rows[-1].photo
        file = "A file" if photo is None else f"A companion of {rows[-1].shown(photo)}"
        return f"{printable(asked.named)}: {asked.unread} now. {file} at this path was {last}."
    if not asked.sha256:
        return f"{name}: {asked.unread}, so only its path is compared. A file at this path was {last}."
    return f"{name} is not known by its content: it is another file, or it was changed. A file at this path was {last}."


def _as_companion(asked: AskedFile, rows: Sequence[LedgerRow]) -> LedgerRow | None:
    """Return the row of a companion that lies where it was filed, edited or not, or that is known by its inode."""
    filed = [row for row in rows if row.photo is not None and row.record.intent.undoes is None]
    here = [row for row in filed if asked.is_at(row.record)]
    return max(here or [row for row in filed if asked.is_of(row.record)], key=lambda row: row.record.row, default=None)


def _about_companion(name: str, asked: AskedFile, row: LedgerRow) -> str:
    was, photo = row.record.intent, row.shown(row.photo or Path())
    at = f"on {local(row.record.at_s):%Y-%m-%d at %H:%M:%S}"
    if is_kept(was.destination):
        return f"{name} is an older version of a companion of {photo}, filed {at}; a newer one took its place."
    changed = "" if asked.identity is None or asked.is_of(row.record) else "; it was changed since"
    found = changed or f"; {since(row, asked)}"
    return f"{name} is a companion of {photo}, filed with it {at} as {row.shown(was.destination)}{found}."


def _order(asked: AskedFile, row: LedgerRow) -> tuple[bool, bool, float]:
    """Return the order in which rows describe a file best: its place, then its inode, then the newest."""
    return not asked.is_at(row.record), not asked.is_inode_of(row.record), -row.record.at_s


def _about_own(name: str, asked: AskedFile, row: LedgerRow, rows: Sequence[LedgerRow]) -> str:
    was, outcome = row.record.intent, outcome_words(row.record)
    found = since(row, asked, [one.record.path for one in rows])
    here = place_now(row.record, asked, [one.record.path for one in rows])
    if was.mode is not Mode.MOVE and asked.place == was.source and asked.named != here:
        return f"{name} is the original of a {was.mode.value} that was {outcome}; of the {was.mode.value}: {found}."
    if here in (asked.named, asked.place) or row.record.taken_back or row.record.state == Outcome.GONE:
        return f"{name} was {outcome}; {found}."
    return f"{name} is a copy of {row.shown(here or row.record.path)}, which was {outcome}; of the filed one: {found}."


def outcome_words(record: Record) -> str:
    """Return the outcome of a photo, and when, as the end of the sentence `it was ...`."""
    intent, at = record.intent, f"on {local(record.at_s):%Y-%m-%d at %H:%M:%S}"
    by = f" by the model {intent.model[:12]}" if intent.model else ""
    as_what = f" as {intent.review_reason.value}" if intent.review_reason else ""
    filed = "filed" if intent.refiles is None else "refiled"
    filed_as = f"{filed} as {printable(intent.label)}{by} {at}" if intent.label else f"{filed} {at}"
    back = f"to {printable(intent.destination.parent.name)}/" if record.undoes_refiling else "to the inbox"
    words = {
        "filed": f"{filed} {at} ({intent.reason})" if intent.known_as else filed_as,
        "review": f"put into _review{as_what}{by} {at}",
        "failed": f"put into _failed {at}",
        "duplicate": f"set aside as a duplicate {at}",
        "undone": f"moved back {back} by `undo` {at}",
        "retried": f"moved back to the inbox by `retry` {at}",
        "gone": f"taken by another program before it could be filed {at}",
    }
    return words.get(record.state, f"about to be filed {at}")


def since(row: LedgerRow, asked: AskedFile | None = None, places: Collection[Path] = ()) -> str:
    """Return where the photo of a row is now, and whether it is unedited, in words.

    Args:
        row: of the photo.
        asked: the file that the question was about; it may be the photo, at another place.
        places: where the photos of all rows are: a file that lies at one of them belongs to that row.
    """
    record = row.record
    if record.state == "open":
        return "filing has begun and is not finished"
    if record.state not in MOVED and record.intent.undoes is None:
        return "nothing was moved"
    if record.refiled:
        return "it was refiled; see the later row"
    if record.taken_back:
        back = "to the class that it came from" if record.intent.refiles is not None else "to the inbox"
        return f"it was moved back {back}; see the later row"
    if record.undoes_refiling:
        return "see the row that filed it there"
    place = place_now(record, asked, places)
    if place is None:
        return GONE
    try:
        return _at(place, row)
    except OSError as error:
        return f"its place cannot be read now ({error.strerror})"


def place_now(record: Record, asked: AskedFile | None, places: Collection[Path]) -> Path | None:
    """Return where the photo of a row is now; None if nothing lies where it was.

    The daemon looks once a minute: until then a moved photo is only known by the file that the question is about.
    """
    for place in (record.path, record.intent.destination):
        try:
            place.stat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError:
            pass
        return place
    return asked.place if asked is not None and asked.is_of(record) and asked.place not in places else None


def _at(place: Path, row: LedgerRow) -> str:
    """Return what lies at the place of a photo."""
    record, was = row.record, row.record.intent
    if is_kept(was.destination) and was.destination == place:
        return "a newer version took its place, and it is kept under this hidden name"
    status = place.stat()
    if not stat.S_ISREG(status.st_mode):
        return "something else than a file is there now"
    now = Identity.of(status)
    where = "it is there" if place == was.destination else _moved(place, row)
    if now == was.identity:
        return f"{where}{', unchanged' if place == was.destination else ''}{_left_alone(record)}"
    if is_photo_of(was, now, lambda: sha256_of(place)):
        return f"{where}{', with the same content' if place == was.destination else ''}{_left_alone(record)}"
    if record.place is not None and record.place.shows(now):
        return f"{where}, and was edited since"
    return "another file is there now, or it was changed"


def _left_alone(record: Record) -> str:
    if record.state not in TAKEN_BACK or record.intent.held is None:
        return ""
    return "; the daemon leaves it alone until it changes, or until `phototriage retry --undone`"


def _moved(place: Path, row: LedgerRow) -> str:
    was = row.record.intent.destination
    folder, name, somebody = row.shown_folder(place.parent), printable(place.name), _somebody(row)
    if place.parent == was.parent:
        return f"it is now called {name} (renamed {somebody})"
    lies = f"it is now in {folder}"
    if place.name == was.name:
        return f"{lies} (moved {somebody})"
    return f"{lies} as {name} (moved and renamed {somebody})"


def _somebody(row: LedgerRow) -> str:
    """Return who moved a photo, as far as that is known, when a look saw that, and which label it is."""
    move, said, place = last_move(row), row.record.said, row.record.place
    if place is not None and place.waits:
        awaited = "a second look" if place.question is None else f"the answer to question {place.question} of `labels`"
        return f"by somebody since; {awaited} tells whether that is a label"
    when = f"by somebody on {local(move.at_s):%Y-%m-%d}" if move is not None else "by somebody since"
    return f"{when}, label {said_words(said)}" if said else when
