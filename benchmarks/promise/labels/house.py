"""A real daemon that looks all the time, and the files that people, programs and it have put into the output."""

import fcntl
import json
import os
import random
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.promise.labels.table import Filed
from benchmarks.promise.world import BrokenError, World, digest, photo
from daemon.labels.listed.tree import joined
from daemon.labels.looker import LOCK, last_look_s
from daemon.ledger.state_folder import LEDGER
from tests.colour_model import FAMILIAR, colour_model
from tests.daemon.support import IMPATIENT

HASTY_INTAKE = """
import daemon.intake.retry, daemon.pipeline
daemon.intake.retry.ASK_AGAIN_S = daemon.pipeline.LOOK_UP_S = 0.2
"""


class House:
    """The world of the promise, with a daemon whose looks follow each other at once.

    Attributes:
        files: what should lie in the output, by place below it.
        outside: a folder beside the output.
        filed: photos of the output, by row.
        taken_back: contents by name in the inbox, of photos that `undo` brought there.
    """

    def __init__(self, world: World) -> None:
        self.world, self.output, self.outside = world, world.output, world.folder / "outside"
        self.outside.mkdir()
        site = world.folder / "site"
        site.mkdir()
        (site / "sitecustomize.py").write_text(IMPATIENT + HASTY_INTAKE)
        world.site = site
        world.model.write_bytes(colour_model(familiarity=FAMILIAR))
        self.files: dict[str, bytes] = {}
        self.filed: dict[int, Filed] = {}
        self.taken_back: dict[str, Filed] = {}
        self._number, self._last_row = 0, 0

    def next_number(self) -> int:
        """Return a number that no other photo or name has."""
        self._number += 1
        return self._number

    def drop(self, contents: list[bytes]) -> list[Filed]:
        """Let these photos be filed, and return them."""
        self.put(contents)
        return self.until_filed(len(contents), {digest(data): data for data in contents})

    def put(self, contents: list[bytes]) -> None:
        """Move these photos into the inbox."""
        for data in contents:
            self.world.put_bytes(f"{self.next_number()}.jpg", data)

    def until_filed(self, count: int, contents: dict[str, bytes]) -> list[Filed]:
        """Wait until so many photos of these contents are filed."""
        where = "id > ? AND part_of IS NULL AND undoes IS NULL AND state IN ('filed', 'review') ORDER BY id"
        query = f"SELECT id, destination, sha256 FROM photos WHERE {where}"
        end_s = time.monotonic() + self.world.patience_s
        while len(rows := self.asked(query, self._last_row)) < count:
            if time.monotonic() > end_s:
                raise BrokenError(f"{count - len(rows)} photos are not filed: {self.world.errors()}")
            time.sleep(0.01)
        new = []
        for row, destination, sha256 in rows:
            place = os.path.relpath(os.fsdecode(destination), self.output)
            number = int(contents[sha256].rsplit(b" ", 1)[1])
            self.files[place] = contents[sha256]
            name = place.split("/", maxsplit=1)[0]
            new.append(Filed(row, number, place, name.casefold(), self.inode_of(place), at=place))
            self.filed[row] = new[-1]
            self._last_row = row
        return new

    def undo_last(self) -> None:
        """Take the newest photo back that `undo` can take back, as its owner would."""
        said = self._phototriage("undo", "--last", "1")
        for step in said:
            if step["destination"] is not None:
                place = os.path.relpath(step["path"], self.output)
                (one,) = (one for one in self.filed.values() if one.at == place)
                del self.filed[one.row], self.files[place]
                for copy in one.copies:
                    self.remove(copy)
                self.taken_back[Path(step["destination"]).name] = one

    def retry_undone(self) -> list[Filed]:
        """Let all photos be classified again that were taken back."""
        again = self.taken_back
        self.taken_back = {}
        contents = {digest(data): data for data in (photo(one.number) for one in again.values())}
        if again:
            self._phototriage("retry", "--undone")
        return self.until_filed(len(again), contents)

    def _phototriage(self, *words: str) -> list[dict[str, Any]]:
        command = [*self.world.command("")[:3], *words, "--inbox", str(self.world.inbox), "--json"]
        done = subprocess.run(command, capture_output=True, text=True, env=self.world.environment, check=False)
        if done.returncode not in (0, 1):
            raise BrokenError(f"{words} ended with {done.returncode}: {done.stderr}")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def inode_of(self, place: str) -> int:
        """Return the inode number of a file of the output."""
        return (self.output / place).stat().st_ino

    def remove(self, place: str) -> None:
        """Delete a file of the output."""
        (self.output / place).unlink()
        del self.files[place]

    def asked(self, query: str, *values: int) -> list[Any]:
        """Ask the ledger."""
        with closing(sqlite3.connect(self.world.state / LEDGER, timeout=60)) as ledger:
            return ledger.execute(query, values).fetchall()

    @contextmanager
    def without_looks(self) -> Iterator[None]:
        """Hold the lock of the looks: during the block none begins, and none is going on."""
        with (self.world.state / LOCK).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def looks(self, count: int) -> None:
        """Wait until so many looks are done."""
        end_s = time.monotonic() + self.world.patience_s
        for _ in range(count):
            before = self._looked()
            while self._looked() == before:
                if time.monotonic() > end_s:
                    raise BrokenError(f"no look comes: {self.world.errors()}")
                time.sleep(0.005)

    def _looked(self) -> float:
        return last_look_s(self.world.state) or 0.0

    def die(self, rng: random.Random) -> None:
        """Kill the daemon, or stop it; let it sometimes die several times at its start; and start it again."""
        self.world.end(rng.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGTERM)))
        while rng.random() < 0.3:
            words = self.world.command(rng.choice(("watch", "sort")))
            nothing = subprocess.DEVNULL
            process = subprocess.Popen(words, stdout=nothing, stderr=nothing, env=self.world.environment)
            time.sleep(rng.uniform(0.3, 1.5))
            process.kill()
            process.wait()
        self.world.start()

    def check(self) -> None:
        """Raise BrokenError unless each file is whole where it should be, and the ledger says what it should say."""
        self._check_files()
        ledger = {row: rest for row, *rest in self.asked("SELECT photo, said, is_gone FROM places")}
        for row, one in self.filed.items():
            wanted = [one.said, int(one.is_gone)]
            if (found := ledger.pop(row, None)) != wanted or self.place_of(row) != one.place:
                raise BrokenError(
                    f"row {row} is {found} at {self.place_of(row) if found else None}, not {wanted}: {one}"
                )
            if (found := self.events_of(row)) != one.events:
                raise BrokenError(f"row {row} has the labels {found}: {one}")
        if ledger:
            raise BrokenError(f"the ledger has places of {ledger}")

    def place_of(self, row: int) -> str:
        """Return where the ledger has a photo, below the output."""
        ((_, folder, name),) = self.asked("SELECT photo, folder, name FROM places WHERE photo = ?", row)
        return joined(os.fsdecode(folder), os.fsdecode(name))

    def events_of(self, row: int) -> list[str]:
        """Return what was said of a row."""
        return [
            said for _, _, said in self.asked("SELECT id, place, said FROM labels WHERE photo = ? ORDER BY id", row)
        ]

    def _check_files(self) -> None:
        there = {}
        for folder, _, names in os.walk(self.output):
            for name in names:
                path = Path(folder, name)
                if not name.startswith(".phototriage") and not path.is_symlink():
                    there[os.path.relpath(path, self.output)] = path.read_bytes()
        if there != self.files:
            odd = {place for place in {*there, *self.files} if there.get(place) != self.files.get(place)}
            raise BrokenError(f"lost, doubled or damaged: {sorted(odd)}")
        inbox = {path.name for path in self.world.inbox.iterdir() if not path.name.startswith(".")}
        if inbox != set(self.taken_back):
            raise BrokenError(f"in the inbox lie {inbox}, and not {set(self.taken_back)}")
