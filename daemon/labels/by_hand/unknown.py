"""Files in the class folders of an output that no ledger knows: they are never labels by themselves."""

import json
import os
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from contract.formats import has_photo_name
from daemon.filing.layout import Layout
from daemon.labels.class_folders import ClassFolders
from daemon.labels.listed.tree import Tree, joined
from daemon.ledger.errors import LedgerError
from daemon.ledger.reader import ask_ledger

_NAMES = "SELECT name FROM places WHERE folder = ? AND NOT is_gone"
_SEEN = "SELECT place FROM sightings"


def folders_of(connection: sqlite3.Connection) -> ClassFolders:
    """Return how the folders of a ledger's output name classes."""
    layout, classes = connection.execute("SELECT layout, classes FROM look").fetchone()
    return ClassFolders(Layout(layout) if layout else Layout(), json.loads(classes))


def unknown_files(tree: Tree, ledgers: Sequence[Path], folders: ClassFolders) -> Iterator[tuple[str, str]]:
    """Yield the class and the place of each photo, by its name, that no ledger knows.

    Args:
        tree: the output as the last look saw it.
        ledgers: all ledgers of the output; one that cannot be read knows nothing.
        folders: tells which class a place names.
    """
    classes = {path: where.name for path in tree.folders if (where := folders.where(joined(path, "x"))).is_class}
    known = defaultdict[str, set[bytes]](set)
    seen: set[str] = set()
    for ledger in ledgers:
        with suppress(LedgerError):
            names, moved = ask_ledger(ledger, lambda connection: _known(connection, list(classes)))
            seen |= moved
            for path, some in names.items():
                known[path] |= some
    for path, name in classes.items():
        for file in tree.listing(path).names():
            place = joined(path, file)
            if has_photo_name(Path(file)) and os.fsencode(file) not in known[path] and place not in seen:
                yield name, place


def _known(connection: sqlite3.Connection, paths: Sequence[str]) -> tuple[dict[str, set[bytes]], set[str]]:
    names = {path: {name for (name,) in connection.execute(_NAMES, (os.fsencode(path),))} for path in paths}
    return names, {os.fsdecode(place) for (place,) in connection.execute(_SEEN)}
