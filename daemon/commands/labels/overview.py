"""What `phototriage labels` shows of one ledger: what people said, and what waits."""

import os
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from contract.labels import OTHER
from daemon.commands.labels.first_look import FirstLook
from daemon.labels.by_hand.unknown import unknown_files
from daemon.labels.class_folders import ClassFolders
from daemon.labels.findings import Why
from daemon.labels.look import CONFIRM_S
from daemon.labels.looker import last_look_s
from daemon.labels.store.description import folders_of
from daemon.labels.store.output_ledgers import other_ledgers
from daemon.labels.store.place_columns import place_in
from daemon.ledger.reader import PAGE, ask_ledger, reader
from daemon.ledger.reading import root_of, roots_of

_EVENTS = (
    "SELECT labels.id, at, how, labels.photo, labels.sha256, labels.place, shown, probability, model, labels.said,"
    " folder, name, coalesce(is_gone, 0), EXISTS (SELECT 1 FROM labels AS later WHERE later.id > labels.id AND"
    " (later.sha256 <> '' AND later.sha256 = labels.sha256 OR later.photo = labels.photo))"
    " FROM labels LEFT JOIN places ON places.photo = labels.photo WHERE labels.id < ? ORDER BY labels.id DESC LIMIT ?"
)
_WAITING = (
    "SELECT sightings.place, sightings.at, label, probability FROM sightings JOIN photos ON photos.id = photo"
    " WHERE question IS NULL ORDER BY sightings.at, photo"
)
_PROPOSED = (
    "SELECT said, count(*), count(DISTINCT coalesce(founder, sha256)) FROM labelled WHERE said <> '' GROUP BY said"
)
_QUESTIONS = "SELECT id, at, why, left, entered, photos FROM questions WHERE answered_at IS NULL ORDER BY id"


class ShownLabel(NamedTuple):
    """One event of the table.

    Attributes:
        number: of the event.
        at_s: when, in seconds since 1970.
        how: it was said.
        path: where the photo is now, or was last.
        is_gone: whether the last look did not find it there.
        shown: class that the model gave.
        probability: of that class.
        model: SHA-256 of the model file.
        said: the class; empty if it was taken back.
        sha256: of the content.
        is_in_force: whether nothing was said later.
    """

    number: int
    at_s: float
    how: str
    path: Path
    is_gone: bool
    shown: str
    probability: float
    model: str
    said: str
    sha256: str
    is_in_force: bool


class Waiting(NamedTuple):
    """A photo that was seen once in another class folder."""

    place: str
    shown: str
    probability: float
    said: str
    counts_from_s: float


class Proposed(NamedTuple):
    """A class that labels name and the model does not know: its photos, and its groups of near-duplicates."""

    name: str
    photos: int
    groups: int


class Question(NamedTuple):
    """A question that waits for its answer."""

    number: int
    at_s: float
    why: Why
    left: str
    entered: str
    photos: int


class Overview(NamedTuple):
    """What waits in one ledger.

    Attributes:
        ledger: its file.
        inbox: as it was adopted.
        output: likewise.
        last_look_s: when the last look was, in seconds since 1970; None before the first one.
        waiting: photos that were seen once.
        proposed: classes.
        questions: open ones.
        why_not: why folders cannot teach; empty if they can.
        obstacle: why the output was not looked at now; empty if it was.
        unknown: how many photos came since the first look that no ledger knows, by the class in whose folder they lie.
    """

    ledger: Path
    inbox: Path | None
    output: Path | None
    last_look_s: float | None
    waiting: list[Waiting]
    proposed: list[Proposed]
    questions: list[Question]
    why_not: str
    obstacle: str
    unknown: dict[str, int]


def overview_of(ledger: Path, seen: FirstLook) -> Overview:
    """Return what waits in a ledger.

    Args:
        ledger: its file.
        seen: by the look that came first.

    Raises:
        LedgerError: it cannot be read.
    """
    waiting, proposed, questions, folders = ask_ledger(ledger, _what_waits)
    unknown: Counter[str] = Counter()
    if seen.tree.folders:
        found = unknown_files(seen.tree, [ledger, *other_ledgers(ledger)], folders)
        unknown.update(one.name for one in found if not one.is_base_line)
    return Overview(
        ledger, *roots_of(ledger), last_look_s(ledger.parent), waiting, proposed, questions, folders.why_not,
        seen.obstacle, dict(sorted(unknown.items())),
    )  # fmt: skip


def labels_in(ledger: Path, limit: int) -> Iterator[ShownLabel]:
    """Yield events, newest first, a page at a time.

    Args:
        ledger: its file.
        limit: how many; negative for all.
    """
    before = (1 << 63) - 1
    with reader(ledger) as one:
        while limit:
            most = PAGE if limit < 0 else min(PAGE, limit)

            def _page(connection: sqlite3.Connection, before: int = before, most: int = most) -> list[ShownLabel]:
                output = root_of(connection, "output")
                return [_shown(output, row) for row in connection.execute(_EVENTS, (before, most))]

            found = one.ask(_page)
            yield from found
            if len(found) < most:
                return
            before = found[-1].number
            limit -= most if limit > 0 else 0


def _shown(output: Path | None, row: sqlite3.Row) -> ShownLabel:
    number, at_s, how, photo, sha256, place, shown, probability, model, said, folder, name, is_gone, is_replaced = row
    now = place_in(folder, name) if folder is not None else os.fsdecode(place)
    path = Path(now) if output is None or photo is None else output / now
    return ShownLabel(number, at_s, how, path, bool(is_gone), shown, probability, model, said, sha256, not is_replaced)


def _what_waits(
    connection: sqlite3.Connection,
) -> tuple[list[Waiting], list[Proposed], list[Question], ClassFolders]:
    folders = folders_of(connection)
    waiting = [
        Waiting(place, shown, probability, folders.where(place).name, at_s + CONFIRM_S)
        for where, at_s, shown, probability in connection.execute(_WAITING)
        for place in [os.fsdecode(where)]
    ]
    proposed = [
        Proposed(*row) for row in connection.execute(_PROPOSED) if row[0] != OTHER and not folders.knows(row[0])
    ]
    questions = [
        Question(number, at_s, Why[why.upper()], left, entered, photos)
        for number, at_s, why, left, entered, photos in connection.execute(_QUESTIONS)
    ]
    return waiting, proposed, questions, folders
