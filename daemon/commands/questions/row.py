"""A row of a ledger together with the folders that it is about, and how its paths are shown to people."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from common.text import printable
from contract.labels import OTHER
from daemon.ledger.labels.events import LabelEvent
from daemon.ledger.queries import Record


class LedgerRow(NamedTuple):
    """One row of a ledger.

    Attributes:
        inbox: of the ledger; None if no daemon ever adopted one.
        output: of the ledger; None likewise.
        record: the row.
        photo: where the photo is now that this companion belongs to; None for a photo.
        events: what people said about it, oldest first; only `explain` asks for that.
    """

    inbox: Path | None
    output: Path | None
    record: Record
    photo: Path | None = None
    events: Sequence[LabelEvent] = ()

    def shown(self, path: Path) -> str:
        """Return a path for people: whole below the output, otherwise absolute."""
        if self.output is not None and path.is_relative_to(self.output):
            path = path.relative_to(self.output)
        return printable(path)

    def shown_folder(self, folder: Path) -> str:
        """Return a folder for people: the two roots in words, a folder of the output with a slash behind it."""
        if folder == self.output:
            return "the output itself"
        if folder == self.inbox:
            return "the inbox"
        return f"{self.shown(folder)}/"


def said_words(said: str) -> str:
    """Return what people said, for people: the class, or that it is of none of the classes."""
    return "none of the classes" if said == OTHER else printable(said)
