"""What the daemon tells other processes: the layout of its output, its classes, and how it chooses what is reviewed."""

import json
import sqlite3
from collections.abc import Collection, Mapping
from typing import NamedTuple

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


def description_in(connection: sqlite3.Connection) -> Description:
    """Return the description that was recorded last."""
    layout, classes, rules = connection.execute("SELECT layout, classes, rules FROM look").fetchone()
    return Description(layout, json.loads(classes), json.loads(rules))
