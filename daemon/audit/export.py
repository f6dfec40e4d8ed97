"""Writes drawn photos into a folder for somebody who is not told what the model said, and a table to fill in."""

import csv
import io
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from common.publish import publish_bytes
from common.text import printable
from daemon.audit.errors import AuditError
from daemon.audit.neutral_copy import copy_to, hand_over
from daemon.ledger.audits.answers import Drawn
from daemon.ledger.reading import root_of
from daemon.ledger.since.places import paths_of_content

HEADINGS = ("audited photo", "class")
"""Columns of the table; by the first one `labels import` tells it from other tables."""
TABLE = "answers.csv"
CLASSES = "classes.txt"


def export(connection: sqlite3.Connection, folder: Path, photos: Iterable[Drawn], classes: Iterable[str]) -> int:
    """Write copies of photos, a table of their names, and a list of the classes; returns how many photos there are.

    The table is written last: it exists once the folder is complete.

    Args:
        connection: to the ledger.
        folder: new, or empty.
        photos: that were drawn.
        classes: that may be answered.

    Raises:
        AuditError: the folder holds something already, lies where photos are filed, or cannot be written.
    """
    for role in ("inbox", "output"):  # the daemon would file the copies, or take them for photos that somebody brought
        root = root_of(connection, role)
        if root is not None and folder.resolve().is_relative_to(root):
            raise AuditError(f"{printable(folder)} lies in the {role} {printable(root)}. Name a folder elsewhere.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if list(folder.iterdir()):
            raise AuditError(f"{printable(folder)} is not empty. Name a new folder.")
        hand_over(folder)
        names = []
        for one in photos:
            copy = copy_to(folder, one.token, paths_of_content(connection, one.sha256), one.sha256)
            names += [copy.name] if copy is not None else []
        for name, text in ((CLASSES, "".join(f"{one}\n" for one in classes)), (TABLE, _table(names))):
            publish_bytes(folder / name, text.encode())
            hand_over(folder / name)
    except OSError as error:
        raise AuditError(f"{printable(folder)} cannot be written ({error.strerror}).") from error
    return len(names)


def _table(names: Iterable[str]) -> str:
    out = io.StringIO()
    csv.writer(out).writerows([HEADINGS, *((name, "") for name in names)])
    return out.getvalue()
