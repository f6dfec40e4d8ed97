"""An inbox, an output and a ledger in which photos are filed without a pipeline, and looked at."""

import os
import sqlite3
from collections.abc import Collection
from contextlib import closing
from hashlib import sha256
from pathlib import Path

from daemon.adopt import adopt
from daemon.files.identity import Identity
from daemon.labels.contents import OutputContents
from daemon.labels.looker import Looked, Looker
from daemon.labels.store.description import Description, describe
from daemon.ledger.intent import Intent
from daemon.ledger.labels.events import events
from daemon.ledger.ledger import Ledger
from daemon.ledger.state_folder import LEDGER
from daemon.photo import Outcome

START_S = 1_800_000_000.0


class FiledOutput:
    """An inbox, an output and a ledger; photos are filed without a pipeline."""

    def __init__(self, folder: Path, classes: Collection[str] = ("sea", "street")) -> None:
        self.inbox, self.output, self.state = folder / "inbox", folder / "sorted", folder / "state"
        for path in (self.inbox, self.output):
            path.mkdir(exist_ok=True)
        self.ledger = Ledger(self.state / LEDGER)
        adopt(self.ledger, "inbox", self.inbox)
        adopt(self.ledger, "output", self.output)
        with closing(self.connection()) as connection:
            describe(connection, Description("{label}/{relpath}/{name}", classes))
        self.now_s = START_S
        self.looker = Looker(self.ledger.path, OutputContents(self.output))

    def connection(self) -> sqlite3.Connection:
        return sqlite3.connect(self.ledger.path, isolation_level=None)

    def file(self, place: str, content: bytes = b"") -> int:
        """File a photo whose content is its name, or the given one."""
        path = self.output / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content or place.encode())
        return self.record(place)

    def record(self, place: str) -> int:
        """Record that the file at this place was filed there."""
        path = self.output / place
        label = path.parent.name
        identity = Identity.of(path.lstat())
        digest = sha256(path.read_bytes()).hexdigest()
        intent = Intent(
            Outcome.FILED, self.inbox / path.name, path, identity, digest, label=label, probability=0.9, model="m" * 64
        )
        (row,) = self.ledger.intend([intent], self.now_s)
        self.ledger.conclude({row: Outcome.FILED}, self.now_s)
        return row

    def move(self, old: str, new: str) -> None:
        (self.output / new).parent.mkdir(parents=True, exist_ok=True)
        (self.output / old).rename(self.output / new)

    def look(self, later_s: float = 31.0) -> Looked:
        self.now_s += later_s
        looked = self.looker.look(self.now_s)
        assert looked is not None
        return looked

    def said(self) -> list[tuple[str, str, str]]:
        with closing(self.connection()) as connection:
            return [(one.event.how.value, one.event.place, one.event.said) for one in events(connection)]

    def place(self, row: int) -> tuple[str, str, bool]:
        """Return place, label in force, and whether the photo is gone."""
        with closing(self.connection()) as connection:
            columns = "SELECT folder, name, said, is_gone FROM places WHERE photo = ?"
            folder, name, said, is_gone = connection.execute(columns, (row,)).fetchone()
        return os.fsdecode(folder + b"/" + name), said, bool(is_gone)

    def sha256(self, row: int) -> str:
        with closing(self.connection()) as connection:
            return str(connection.execute("SELECT sha256 FROM photos WHERE id = ?", (row,)).fetchone()[0])
