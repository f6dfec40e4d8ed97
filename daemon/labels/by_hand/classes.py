"""Which classes a label may name: a typo must not make a class."""

import json
import sqlite3
import unicodedata
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import NamedTuple

from common.text import printable
from contract.labels import OTHER, fault_of
from daemon.labels.by_hand.errors import LabelError
from daemon.labels.class_folders import key

PROPOSED = "SELECT DISTINCT said FROM labelled WHERE said <> ''"


class Classes(NamedTuple):
    """Classes by their names without case and Unicode form.

    Attributes:
        of_model: those that the model in use knows; empty if no daemon has told them yet.
        proposed: those that labels in force name beside them.
    """

    of_model: Mapping[str, str]
    proposed: Mapping[str, str]

    def is_known(self, name: str) -> bool:
        """Tell whether a model or a label knows a class."""
        return name == OTHER or key(name) in self.of_model or key(name) in self.proposed

    def spelled(self, name: str) -> str:
        """Return a class as it is spelled already; an unknown one in NFC, which macOS does not use for folders.

        Raises:
            LabelError: it cannot be the name of a folder.
        """
        if name == OTHER:
            return name
        name = unicodedata.normalize("NFC", name)
        if fault := fault_of(name):
            raise LabelError(
                f"The class {printable(name)!r} cannot be the name of a folder: {fault}. Name another one."
            )
        return self.of_model.get(key(name)) or self.proposed.get(key(name)) or name

    def unknown(self, names: Collection[str]) -> str:
        """Return why classes that nobody knows are refused, as sentences."""
        words = [*self.of_model.values(), *self.proposed.values()]
        said = ", ".join(
            f"{printable(name)}{f' (did you mean {printable(near[0])}?)' if near else ''}"
            for name in sorted(names)
            for near in [get_close_matches(name, words, 1)]
        )
        known = ", ".join(map(printable, sorted(words)[:20])) or "none, because no daemon has filed there yet"
        return f"No model and no label knows: {said}. Known classes: {known}. To propose a new class, add --new."


def classes_of(connection: sqlite3.Connection) -> Classes:
    """Return the classes that a ledger knows."""
    (of_model,) = connection.execute("SELECT classes FROM look").fetchone()
    known = {key(name): name for name in json.loads(of_model)}
    said = [name for (name,) in connection.execute(PROPOSED) if name != OTHER]
    return Classes(known, {key(name): name for name in said if key(name) not in known})
