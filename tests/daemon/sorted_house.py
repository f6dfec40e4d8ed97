"""A house whose output is looked at, and what `phototriage labels` says of it."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from daemon.labels.contents import OutputContents
from daemon.labels.looker import Looker
from daemon.labels.store.description import Description, describe
from daemon.ledger.labels.events import Event, events
from tests.daemon.house import House, ask, told


class Sorted(House):
    """A house whose output was looked at once; looks happen as if minutes lay between them."""

    def __init__(self, folder: Path, output: Path | None = None, photos: int = 2) -> None:
        super().__init__(folder, output)
        for number in range(photos):
            self.file(f"{number}.jpg")
        with self.connected() as connection:
            describe(connection, Description("{label}/{relpath}/{name}", ("sea", "street")))
        self.now_s = time.time()
        self.look()

    @contextmanager
    def connected(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            yield connection

    def look(self) -> None:
        self.now_s += 60.0
        assert Looker(self.path, OutputContents(self.output), left_out=[self.inbox]).look(self.now_s) is not None

    def move(self, old: str, new: str) -> Path:
        (self.output / new).parent.mkdir(parents=True, exist_ok=True)
        return (self.output / old).rename(self.output / new)

    def events(self) -> list[Event]:
        with self.connected() as connection:
            return [one.event for one in events(connection)]

    def said(self) -> list[tuple[str, str, str]]:
        return [(one.how.value, one.place, one.said) for one in self.events()]

    def one(self, query: str, *values: object) -> Any:
        with self.connected() as connection:
            return connection.execute(query, values).fetchone()


def facts(house: House, what: str) -> list[dict[str, Any]]:
    return [one for one in told("labels", "--inbox", house.inbox) if one["what"] == what]


def refused(*words: str | Path, code: int = 1) -> str:
    result = ask("labels", *words)
    assert result.exit_code == code, result.output
    return " ".join(result.stderr.split())
