"""The look: what people said by moving photos between the class folders, found by comparing two listings.

Pure: it is given what the ledgers know and what lies in the output, and returns findings. The table that it follows
stands in docs/labels.md.

The ledgers must be read after the tree was listed: a photo that the daemon files in between has its row then.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from daemon.labels.class_folders import ClassFolders, key
from daemon.labels.files import Files
from daemon.labels.findings import Findings, Label, Noted, Question, TakenBack, Why
from daemon.labels.listed.listing import differences
from daemon.labels.listed.tree import BASE_LINE_S, EMPTY, Tree, parted
from daemon.labels.matching import Candidate, Matcher
from daemon.labels.moved_folders import MovedFolders
from daemon.labels.rows import Contents, Known, Row, RowId, Sighting

CONFIRM_S = 30.0
"""A move counts when a second look, so much later, sees the same file at the same place."""
MANY = 50
MANY_SHARE = 0.05
"""More than so many photos, and than this share of a class, at once are rather a program's doing: one question."""
REVIEW = "_review"


@dataclass(frozen=True, slots=True)
class _Move:
    """A row whose photo was found at another place, and what that says: a class, or the class that filed it."""

    row: Row
    one: Candidate
    name: str
    is_back: bool


def look(
    known: Known,
    before: Tree,
    now: Tree,
    sightings: Mapping[RowId, Sighting],
    folders: ClassFolders,
    contents: Contents,
    now_s: float,
    *,
    was_interrupted: bool = False,
) -> Findings:
    """Compare the output with the ledgers.

    Args:
        known: rows of all ledgers of this output.
        before: what the last look saw; `EMPTY` for the first one, which teaches nothing.
        now: what lies in the output.
        sightings: from the findings of the last look, without those whose question was answered.
        folders: the layout and the known classes.
        contents: reads files that may be missing photos.
        now_s: the time that `now` was listed with.
        was_interrupted: whether the output was away, restored or has another marker since the last look.
    """
    is_interrupted = was_interrupted or now.is_remounted
    changed, files = now.changed(before), Files(now)
    whole = set(now.folders) if is_interrupted else {folder for folder in changed if folder not in before.folders}
    young = list(_out_of_place(known.newly_filed(), files, whole))
    if not (changed or whole or young) and all(seen.is_asked for seen in sightings.values()):
        return Findings(sightings=sightings)
    concerned = _concerned(known, before, files, changed, whole, sightings) | {row.id: row for row in young}
    rows = [row for row in concerned.values() if not _is_unread(row, now)]
    matcher = Matcher(known, files, changed, contents, sightings, now_s)
    matches = matcher.match(rows)
    found = Findings(gone=[row.id for row in matches.lost if not row.is_gone])
    for row in matches.here:
        file = files.at(row.place)
        if file is not None and (row.is_gone or file != row.file):
            found.noted.append(Noted(row.id, row.place, file))
    moves = list[_Move]()
    for row in (row for row in rows if row.id in matches.elsewhere):
        one = matches.elsewhere[row.id]
        move = None if before is EMPTY or one.since_s == BASE_LINE_S else _said(row, one, folders)
        if move is None:
            found.noted.append(Noted(row.id, one.place, one.file))
        else:
            moves.append(move)
    unread = {row.id: sightings[row.id] for row in concerned.values() if row.id in sightings and _is_unread(row, now)}
    pending = {move.row.id: _seen(move, sightings, matcher.hashes, now_s) for move in moves}
    asked = _ask(moves, pending, _Asking(known, before, now, folders, is_interrupted), found)
    found.sightings = unread | _confirmed(moves, asked, folders, contents, found, now_s)
    return found


def _is_unread(row: Row, now: Tree) -> bool:
    return any(row.place.startswith(f"{folder}/") for folder in now.unread)


def _out_of_place(rows: Iterable[Row], files: Files, left_out: AbstractSet[str] = frozenset()) -> Iterator[Row]:
    """Yield the rows whose file is not exactly in its place; the others take part in nothing.

    Of folders that are left out only what is gone.
    """
    for row in rows:
        if not row.is_gone:
            if parted(row.place)[0] in left_out:
                continue
            file = files.at(row.place)
            if file is not None and row.is_exactly(file):
                continue
        yield row


def _concerned(
    known: Known,
    before: Tree,
    files: Files,
    changed: Collection[str],
    whole: AbstractSet[str],
    sightings: Collection[RowId],
) -> dict[RowId, Row]:
    """Return the rows that a change may be about; all others are in their places, or still gone.

    Of a folder in `whole` all rows are compared, else those at the names that differ: a minute's new photos must not
    make a look read the rows of all others in their folder.
    """
    rows: dict[RowId, Row] = {}
    sizes = set[int]()
    for folder in {*changed, *whole}:
        listing = files.tree.listing(folder)
        differs = differences(before.listing(folder), listing)
        sizes |= differs.sizes
        if folder in whole or folder not in files.tree.folders:
            odd: Iterable[Row] = known.displaced(folder, listing)
        else:
            odd = _out_of_place(known.at(folder, differs.names), files)
        rows.update((row.id, row) for row in odd)
    rows.update((row.id, row) for row in known.rows(sightings))
    there = (files.at(row.place) for row in rows.values())
    sizes.update(file.size for file in there if file is not None)  # a gone photo may lie in the place of another
    rows.update((row.id, row) for row in known.gone(sizes))
    return rows


def _said(row: Row, one: Candidate, folders: ClassFolders) -> _Move | None:
    """Return what a photo's new place says; None if that is nothing new."""
    left, entered = folders.where(row.place), folders.where(one.place)
    name = key(entered.name)
    if name in (key(left.name), key(row.said or row.filed_as)):
        return None
    if name == key(row.filed_as):
        return _Move(row, one, entered.name, is_back=True) if row.said else None
    return _Move(row, one, entered.name, is_back=False) if entered.is_class else None


def _seen(move: _Move, sightings: Mapping[RowId, Sighting], hashes: Mapping[str, str], now_s: float) -> Sighting:
    before = sightings.get(move.row.id)
    if before is not None and before.is_of(move.one.place, move.one.file):
        return before._replace(at_s=min(before.at_s, now_s))  # or a clock that was set back would delay the label
    return Sighting(move.one.place, move.one.file, now_s, hashes.get(move.one.place, ""))


@dataclass(frozen=True, slots=True)
class _Asking:
    known: Known
    before: Tree
    now: Tree
    folders: ClassFolders
    was_interrupted: bool


def _ask(moves: Iterable[_Move], pending: dict[RowId, Sighting], at: _Asking, found: Findings) -> dict[RowId, Sighting]:
    """Return the sightings, with those marked that a question is about; the questions are added to the findings."""
    groups = defaultdict[tuple[Why, str, str], list[RowId]](list)
    by_class = defaultdict[str, list[RowId]](list)
    moved = MovedFolders(at.before, at.now)
    for move in moves:
        if pending[move.row.id].is_asked:
            continue
        if at.was_interrupted:
            groups[Why.INTERRUPTED, "", ""].append(move.row.id)
        elif (pair := moved.of(move.row.place, move.one.place)) is not None:
            groups[Why.FOLDER, *pair].append(move.row.id)
        elif not move.is_back and (left := at.folders.where(move.row.place).name) != REVIEW:
            by_class[left].append(move.row.id)
    for left, rows in by_class.items():
        if len(rows) > MANY and len(rows) > MANY_SHARE * at.known.how_many(left):
            groups[Why.MANY, left, ""] = rows
    for (why, left, entered), rows in groups.items():
        found.questions.append(Question(why, left, entered, frozenset(rows)))
        pending |= {row: pending[row]._replace(is_asked=True) for row in rows}
    return pending


def _confirmed(
    moves: Iterable[_Move],
    pending: Mapping[RowId, Sighting],
    folders: ClassFolders,
    contents: Contents,
    found: Findings,
    now_s: float,
) -> dict[RowId, Sighting]:
    """Add what two looks saw to the findings; return what has to wait for another look.

    Somebody may have put another photo in the place of the one that was filed: then its moves say nothing about that.
    """
    waiting = {}
    for move in moves:
        row, one, seen = move.row.id, move.one, pending[move.row.id]
        if seen.is_asked or now_s - seen.at_s < CONFIRM_S:
            waiting[row] = seen
            continue
        is_as_filed = one.file.target or one.file.size == move.row.filed_size
        is_another = False if is_as_filed else contents.is_another(row, one.place)
        if is_another is None:
            waiting[row] = seen
        elif is_another:
            found.noted.append(Noted(row, one.place, one.file))
        elif move.is_back:
            found.taken_back.append(TakenBack(row, one.place, one.file))
        else:
            found.labels.append(Label(row, move.name, one.place, one.file, not folders.knows(move.name)))
    return waiting
