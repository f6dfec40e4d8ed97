"""Two models that differ in everything, a daemon under load, and what its ledger says of models."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from common.publish import publish_bytes
from daemon.ledger.reader import ask_ledger
from daemon.ledger.state_folder import state_folder
from daemon.models.history import Entry, entries
from tests.colour_model import LABELS, colour_model
from tests.daemon.support import digest, unique

OTHERS = ("rouge", "vert", "bleu", "jaune")
OLD = colour_model()
NEW = colour_model(OTHERS, 48, "letterbox")
LABELS_OF = {digest(OLD): LABELS, digest(NEW): OTHERS}


def told_of_models(inbox: Path) -> list[Entry]:
    """Return what the ledger says of models, oldest first."""
    return ask_ledger(state_folder(inbox) / "ledger.sqlite", entries)[::-1]


def rows(inbox: Path) -> list[sqlite3.Row]:
    """Return every row of a photo."""
    every = "SELECT * FROM photos ORDER BY id"
    return ask_ledger(state_folder(inbox) / "ledger.sqlite", lambda connection: connection.execute(every).fetchall())


@contextmanager
def load(inbox: Path, waiting: int = 150) -> Iterator[list[str]]:
    """Move photos in, so many that some always wait, until the end of the block; yields their names as they go in."""
    names: list[str] = []
    part = inbox.parent / "part"
    ended = threading.Event()

    def feed() -> None:
        while not ended.is_set():
            if len(list(inbox.iterdir())) > waiting:
                continue
            name = f"{len(names):05}.jpg"
            part.write_bytes(unique(LABELS[len(names) % 3], len(names)))
            part.rename(inbox / name)
            names.append(name)

    thread = threading.Thread(target=feed)
    thread.start()
    try:
        yield names
    finally:
        ended.set()
        thread.join()


def replace_model(path: Path, data: bytes) -> None:
    """Put another model in the place of one, by a rename."""
    publish_bytes(path, data)
