"""What the daemon tells other processes: the layout of its output, its classes, and how it chooses what is reviewed."""

import json
import sqlite3
from collections.abc import Collection, Mapping
from pathlib import PurePath
from typing import NamedTuple

from daemon.filing.layout import DEFAULT_LAYOUT, Layout
from daemon.labels.class_folders import ClassFolders

Setting = str | float


class Description(NamedTuple):
    """What the last look of a daemon recorded.

    Attributes:
        layout: template of the path below the output; empty before the first look.
        classes: of the model.
        rules: the settings of review by their names: `review_below` and `unfamiliar`.
    """

    layout: str = ""
    classes: Collection[str] = ()
    rules: Mapping[str, Setting] = {}


def describe(connection: sqlite3.Connection, description: Description) -> None:
    """Record a description, if it has changed."""
    layout, classes, rules = description
    as_json = json.dumps(sorted(classes), ensure_ascii=False), json.dumps(dict(rules), sort_keys=True)
    known = connection.execute("SELECT layout, classes, rules FROM look").fetchone()
    if tuple(known) != (layout, *as_json):
        connection.execute("UPDATE look SET layout = ?, classes = ?, rules = ?", (layout, *as_json))


def layout_in(connection: sqlite3.Connection) -> Layout:
    """Return the layout of the output, with the folders that people renamed."""
    (template,) = connection.execute("SELECT layout FROM look").fetchone()
    layout = Layout(template or DEFAULT_LAYOUT)
    layout.names = dict(connection.execute("SELECT class, folder FROM class_folders").fetchall())
    return layout


def folders_of(connection: sqlite3.Connection) -> ClassFolders:
    """Return how the folders of a ledger's output name classes."""
    (classes,) = connection.execute("SELECT classes FROM look").fetchone()
    return ClassFolders(layout_in(connection), json.loads(classes))


def rename_folder(connection: sqlite3.Connection, name: str, folder: str) -> None:
    """Let the photos of a class go to a folder of another name from now on; the caller holds a transaction.

    Args:
        connection: to the ledger.
        name: the class.
        folder: its folder's name; the same as the class to end a renaming.
    """
    connection.execute("DELETE FROM class_folders WHERE class = ? OR folder = ?", (name, folder))
    if folder != name:
        connection.execute("INSERT INTO class_folders VALUES (?, ?)", (name, folder))


def end_renamings(connection: sqlite3.Connection, folders: ClassFolders, paths: Collection[str]) -> None:
    """Forget renamed folders that are gone, where there is a folder again that is called as the class.

    Args:
        connection: to the ledger.
        folders: tells which class a folder names.
        paths: of all folders of the output.
    """
    renamed = connection.execute("SELECT class, folder FROM class_folders").fetchall()
    if renamed:
        there = {PurePath(path).name for path in paths if folders.where(f"{path}/x").is_class}
        for name, folder in renamed:
            if folder not in there and name in there:
                connection.execute("DELETE FROM class_folders WHERE class = ?", (name,))


def description_in(connection: sqlite3.Connection) -> Description:
    """Return the description that was recorded last."""
    layout, classes, rules = connection.execute("SELECT layout, classes, rules FROM look").fetchone()
    return Description(layout, json.loads(classes), json.loads(rules))
