"""A real daemon at work on photos that are all known by their content, and the question where each of them is."""

import hashlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache
from io import BytesIO
from pathlib import Path

from PIL import Image

from daemon.ledger.state_folder import LEDGER
from tests.colour_model import LABELS, colour_model

ROOT = Path(__file__).resolve().parents[2]
STATES = ("filed", "review", "failed")
PATIENCE_S = 120.0
"""How long the daemon may take for what it should do at once, before it counts as stuck."""


class BrokenError(Exception):
    """The promise did not hold, or the daemon got stuck; the text says how."""


def photo(number: int) -> bytes:
    """A small JPEG that no other number gives: what follows a JPEG's end is not read."""
    return _plain(LABELS[number % 3]) + f"photo {number}".encode()


@cache
def _plain(colour: str) -> bytes:
    out = BytesIO()
    Image.new("RGB", (24, 24), colour).save(out, "JPEG")
    return out.getvalue()


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass
class World:
    """An inbox, an output, a ledger, a model, and all photos that were ever put in.

    folder: holds all of it; made anew. output: where it lies elsewhere, on another file system for example.
    options: further words for the daemon. patience_s: how long it may make no progress. site: a folder whose
    `sitecustomize` the processes load.
    """

    folder: Path
    output: Path = field(default_factory=Path)
    options: tuple[str, ...] = ()
    inputs: Counter[str] = field(default_factory=Counter)
    patience_s: float = PATIENCE_S
    site: Path | None = None
    process: "subprocess.Popen[str] | None" = None

    def __post_init__(self) -> None:
        if self.output == Path():
            self.output = self.folder / "out"
        for path in (self.inbox, self.waiting, self.state):
            path.mkdir(parents=True, exist_ok=True)
        self.model.write_bytes(colour_model())

    @property
    def keeps(self) -> bool:
        """Whether originals stay in the inbox: in every mode but `move`."""
        return "--mode" in self.options and "move" not in self.options

    @property
    def inbox(self) -> Path:
        return self.folder / "in"

    @property
    def waiting(self) -> Path:
        """Beside the inbox: photos are written here and moved in whole."""
        return self.folder / "waiting"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def model(self) -> Path:
        return self.folder / "colours.onnx"

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def put(self, numbers: Iterable[int]) -> None:
        """Move photos of these numbers in."""
        for number in numbers:
            self.put_bytes(f"{number}.jpg", photo(number))

    def put_bytes(self, name: str | bytes, data: bytes) -> None:
        """Move one file in under a name that may be any bytes."""
        whole = self.waiting / "next"
        whole.write_bytes(data)
        self.inputs[digest(data)] += 1
        Path(whole).rename(self.inbox / os.fsdecode(name))

    def command(self, verb: str) -> list[str]:
        """The words of `watch` or `sort`."""
        paths = ["--inbox", self.inbox, "--output", self.output, "--model", self.model]
        return [sys.executable, "-m", "phototriage", verb, "--json", *map(str, paths), *self.options]

    @property
    def environment(self) -> dict[str, str]:
        path = f"{self.site}:{ROOT}" if self.site else str(ROOT)
        return {**os.environ, "PYTHONPATH": path, "STATE_DIRECTORY": str(self.state)}

    def start(self) -> None:
        """Start `watch` and wait until it is ready."""
        with (self.folder / "errors").open("a") as errors:
            self.process = subprocess.Popen(
                self.command("watch"), stdout=subprocess.PIPE, stderr=errors, text=True, env=self.environment
            )
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if json.loads(line)["event"] == "ready":
                threading.Thread(target=self._drain, daemon=True).start()
                return
        raise BrokenError(f"the daemon ended before it was ready: {self.errors()}")

    def _drain(self) -> None:
        """Let the lines go nowhere: a full pipe would hold the daemon up."""
        assert self.process is not None
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for _ in lines:
                pass

    def errors(self) -> str:
        return (self.folder / "errors").read_text()[-2000:]

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send the daemon a signal and wait for its end."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(self.patience_s)

    def close(self) -> None:
        """Leave no process behind, whatever happened."""
        if self.process is not None and self.process.poll() is None:
            self.end(signal.SIGKILL)

    def until_filed(self) -> None:
        """Wait until nothing is left to do in the inbox."""
        end_s, last = time.monotonic() + self.patience_s, -1
        while left := self._left():
            if left != last:  # stuck means: no progress
                last, end_s = left, time.monotonic() + self.patience_s
            if time.monotonic() > end_s:
                raise BrokenError(f"{left} photos stay in the inbox for {self.patience_s:.0f} s: {self.errors()}")
            time.sleep(0.02)

    def _left(self) -> int:
        if self.keeps:
            return self.inputs.total() - sum(1 for _ in files(self.output))
        return sum(not entry.name.startswith(".") and entry.is_file() for entry in os.scandir(self.inbox))

    def is_recorded(self) -> bool:
        """Tell whether the ledger knows what became of every photo."""
        with closing(sqlite3.connect(self.state / LEDGER)) as book:
            (count,) = book.execute("SELECT count(*) FROM photos WHERE state != 'intent'").fetchone()
        return bool(count >= self.inputs.total())

    def check_nothing_lost(self) -> None:
        """Raise BrokenError if a photo is in neither place, or not whole."""
        lost = self.inputs - contents(self.inbox) - contents(self.output)
        if lost:
            raise BrokenError(f"{lost.total()} photos are lost")

    def check(self) -> None:
        """Raise BrokenError unless each photo is whole in exactly one place, and the ledger agrees with the disk.

        Where originals stay, that is one place in the output, and the original besides.
        """
        if self.keeps:
            _equal(contents(self.inbox), self.inputs, "in the inbox, where originals stay")
            _equal(contents(self.output), self.inputs, "in the output")
        else:
            _equal(contents(self.inbox) + contents(self.output), self.inputs, "in inbox and output")
        rest = [path for path in self.output.rglob(".*") if path.name.endswith("phototriage-part")]
        if rest:
            raise BrokenError(f"{len(rest)} unpublished copies were left")
        self._check_ledger()

    def _check_ledger(self) -> None:
        with closing(sqlite3.connect(self.state / LEDGER)) as book:
            rows = book.execute("SELECT destination, state FROM photos").fetchall()
        told = Counter(os.fsdecode(destination) for destination, state in rows if state in STATES)
        disk = Counter(str(path) for path in files(self.output))
        if told != disk or len(told) != len(rows):
            raise BrokenError(
                f"ledger and disk differ: {len(rows)} rows, {(told - disk).total()} only in the ledger,"
                f" {(disk - told).total()} only on disk"
            )


def contents(root: Path) -> Counter[str]:
    """What lies below a folder, by content; markers, notes and unpublished copies do not count."""
    return Counter(digest(path.read_bytes()) for path in files(root))


def _equal(found: Counter[str], wanted: Counter[str], where: str) -> None:
    if found != wanted:
        lost, more = (wanted - found).total(), (found - wanted).total()
        raise BrokenError(f"{lost} photos are lost, {more} are there twice or damaged, {where}")


def files(root: Path) -> Iterable[Path]:
    """The photos below a folder: no markers, notes and unpublished copies."""
    for folder, _, names in os.walk(root):
        for name in names:
            if not name.startswith(".") and not name.endswith(".why.txt"):
                yield Path(folder) / name
