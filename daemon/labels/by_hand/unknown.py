"""Files in the class folders of an output that no ledger knows: they are never labels by themselves."""

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

from contract.formats import has_photo_name
from daemon.labels.class_folders import ClassFolders
from daemon.labels.listed.listing import Listing
from daemon.labels.listed.tree import BASE_LINE_S, Tree, joined
from daemon.ledger.errors import LedgerError
from daemon.ledger.reader import LedgerReader, reader
from daemon.ledger.reading import root_of

_NAMES = "SELECT name FROM places WHERE folder = ? AND NOT is_gone"
_SEEN = "SELECT place FROM sightings"
_LABELLED = "SELECT place FROM labels WHERE photo IS NULL"
_TOGETHER = 50_000
Answer = TypeVar("Answer")


class Unknown(NamedTuple):
    """A photo, by its name, that no ledger knows.

    Attributes:
        name: the class in whose folder it lies.
        place: below the output.
        is_base_line: whether it lay there at the first look.
    """

    name: str
    place: str
    is_base_line: bool


def unknown_files(tree: Tree, ledgers: Sequence[Path], folders: ClassFolders) -> Iterator[Unknown]:
    """Yield the photos in class folders that no ledger knows, some folders at a time.

    One that was seen once, or that was labelled by its path, is known.

    Args:
        tree: the output as the last look saw it.
        ledgers: all ledgers of the output; one that cannot be read knows nothing.
        folders: tells which class a place names.
    """
    with ExitStack() as opened:
        readers = list[LedgerReader]()
        for ledger in ledgers:
            with suppress(LedgerError):
                readers.append(opened.enter_context(reader(ledger)))
        seen = set[str]().union(*(_asked(one, _seen) or () for one in readers))
        classes = {path: where.name for path in tree.folders if (where := folders.where(joined(path, "x"))).is_class}
        for paths in _batches(tree, classes):
            known = [_asked(one, partial(_known, paths)) or {} for one in readers]
            for path in paths:
                names = set[bytes]().union(*(some.get(path, ()) for some in known))
                yield from _others(tree.listing(path), path, classes[path], names, seen)


def _others(listing: Listing, path: str, name: str, known: Set[bytes], seen: Set[str]) -> Iterator[Unknown]:
    for file, since_s in zip(listing.names(), listing.since_s, strict=True):
        if os.fsencode(file) not in known and has_photo_name(Path(file)) and joined(path, file) not in seen:
            yield Unknown(name, joined(path, file), since_s == BASE_LINE_S)


def _batches(tree: Tree, paths: Iterable[str]) -> Iterator[list[str]]:
    """Yield folders that together hold not many more files than a ledger is asked for at once."""
    batch, count = list[str](), 0
    for path in paths:
        batch.append(path)
        count += 1 + len(tree.listing(path))
        if count >= _TOGETHER:
            yield batch
            batch, count = [], 0
    yield batch


def _asked(ledger: LedgerReader, question: Callable[[sqlite3.Connection], Answer]) -> Answer | None:
    with suppress(LedgerError):
        return ledger.ask(question)
    return None


def _known(paths: Iterable[str], connection: sqlite3.Connection) -> dict[str, set[bytes]]:
    return {path: {name for (name,) in connection.execute(_NAMES, (os.fsencode(path),))} for path in paths}


def _seen(connection: sqlite3.Connection) -> set[str]:
    root = os.fsencode(root_of(connection, "output") or "/") + b"/"
    labelled = (place.removeprefix(root) for (place,) in connection.execute(_LABELLED) if place.startswith(root))
    return {*(os.fsdecode(place) for (place,) in connection.execute(_SEEN)), *map(os.fsdecode, labelled)}
