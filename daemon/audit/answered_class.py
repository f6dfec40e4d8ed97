"""Which classes an answer may name, and what an answer means."""

import json
import sqlite3

from contract.labels import OTHER
from daemon.labels.by_hand.classes import Classes, classes_of
from daemon.labels.class_folders import key

NONE = "none"
"""What a person answers if a photo shows none of the classes."""
_LABELS = "SELECT labels FROM models WHERE sha256 = ? ORDER BY id DESC LIMIT 1"


def classes_for(connection: sqlite3.Connection, model: str) -> Classes:
    """Return the classes that answers may name: those of the model, and those that labels propose.

    Args:
        connection: to the ledger.
        model: SHA-256 of the file of the model that filed the photos; it may know others than the one in use.
    """
    known = classes_of(connection)
    row = connection.execute(_LABELS, (model,)).fetchone()
    of_model = {key(name): name for name in json.loads(row[0])} if row else {}
    return Classes({**known.of_model, **of_model}, known.proposed)


def names_of(classes: Classes) -> list[str]:
    """Return the classes in the order of their names, `none` last."""
    names = {*classes.of_model.values(), *classes.proposed.values()} - {OTHER, NONE}
    return [*sorted(names), NONE]


def class_in(answer: str, classes: Classes) -> str | None:
    """Return the class that an answer means, as it is spelled already; None for one that nobody knows."""
    if answer.casefold() == NONE:
        return OTHER
    return classes.spelled(answer) if classes.is_known(answer) else None
