"""A house with a real daemon, and all that its owner's commands do there; everything can be killed."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks.day.photos import Photo
from daemon.ledger.reader import ask_ledger
from daemon.ledger.state_folder import LEDGER

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 300.0
HASTY_LOOKS = """
import daemon.labels.look, daemon.live_looks
daemon.labels.look.CONFIRM_S = 0.01
daemon.live_looks.LOOK_EVERY_S = daemon.live_looks.ASK_EVERY_S = 0.5
"""
"""A `sitecustomize` module: a day passes in minutes, so looks follow each other soon, and the second one confirms."""


class BrokenError(Exception):
    """The promise did not hold, or something got stuck; the text says how."""


class House:
    """An inbox, an output and a daemon below a folder.

    Attributes:
        truth: class of each photo that was ever dropped, by its content.
        kills: how many processes were killed, by what they did.
    """

    def __init__(self, folder: Path, rng: random.Random) -> None:
        self.folder, self._rng = folder, rng
        self.inbox, self.output, self.state = folder / "in", folder / "out", folder / "state"
        self._site, self._waiting = folder / "site", folder / "waiting"
        for path in (self.inbox, self.output, self.state, self._site, self._waiting):
            path.mkdir(parents=True)
        (self._site / "sitecustomize.py").write_text(HASTY_LOOKS)
        self.truth: dict[str, str] = {}
        self.kills: Counter[str] = Counter()
        self._process: subprocess.Popen[str] | None = None
        self._number = 0

    @property
    def _environment(self) -> dict[str, str]:
        path = os.pathsep.join([str(self._site), str(ROOT)])
        own = {"STATE_DIRECTORY": str(self.state), "XDG_CACHE_HOME": str(self.folder / "cache")}
        return {**os.environ, **own, "PYTHONPATH": path}

    def _words(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "phototriage", *words, "--inbox", str(self.inbox)]

    def start(self) -> None:
        """Start `watch`, and wait until it is ready."""
        words = self._words("watch", "--output", str(self.output), "--json")
        with (self.folder / "errors").open("a") as errors:
            self._process = subprocess.Popen(
                words, stdout=subprocess.PIPE, stderr=errors, text=True, env=self._environment
            )
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if json.loads(line)["event"] == "ready":
                self._drain = threading.Thread(target=_drain, args=(self._process.stdout,), daemon=True)
                self._drain.start()
                return
        raise BrokenError(f"the daemon ended before it was ready: {(self.folder / 'errors').read_text()[-2000:]}")

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End the daemon."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(PATIENCE_S)
            self._drain.join()
            self._process = None

    def drop(self, photos: list[Photo], *, kill: bool) -> None:
        """Move photos into the inbox, and wait until all are filed; the daemon is killed meanwhile, if asked for."""
        at = self._rng.randrange(len(photos)) if kill else -1
        for number, photo in enumerate(photos):
            data = photo.path.read_bytes()
            self._number += 1
            self.truth[hashlib.sha256(data).hexdigest()] = photo.truth
            whole = self._waiting / f"{self._number:05}{photo.path.suffix.lower()}"
            whole.write_bytes(data)
            whole.rename(self.inbox / whole.name)
            if number == at:
                self.stop(signal.SIGKILL)
                self.kills["watch"] += 1
                self.start()
        self._until(lambda: not any(not one.name.startswith(".") for one in self.inbox.iterdir()), "photos wait")

    def places(self) -> dict[Path, str]:
        """Return each photo of the output, with the class where it belongs."""
        found = (path for path in self.output.rglob("*") if path.is_file() and not path.name.startswith("."))
        return {path: self.truth[_digest(path)] for path in found}

    def right(self) -> int:
        """Return how many photos lie where they belong."""
        return sum(path.parent.name == truth for path, truth in self.places().items())

    def correct(self, wrong: dict[Path, str]) -> None:
        """Move photos to where they belong, as their owner does, and wait until all are labels."""
        before = self._labels()
        for path, truth in wrong.items():
            folder = self.output / truth
            folder.mkdir(exist_ok=True)
            path.rename(folder / path.name)
        self._until(lambda: self._labels() >= before + len(wrong), "moves are no labels yet")

    def run(self, *words: str, codes: tuple[int, ...] = (0,), kill: bool = False) -> list[dict[str, Any]]:
        """Run a command of the owner; returns its JSON lines. If asked for, it is killed once and called again."""
        if kill:
            one = subprocess.Popen(
                self._words(*words, "--json"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                env=self._environment, start_new_session=True,
            )  # fmt: skip
            with suppress(subprocess.TimeoutExpired):
                one.wait(self._rng.uniform(0.3, 6.0))
            with suppress(ProcessLookupError):
                os.killpg(one.pid, signal.SIGKILL)
            one.wait()
            self.kills[words[0]] += 1
        done = subprocess.run(
            self._words(*words, "--json"), capture_output=True, text=True, env=self._environment, check=False
        )
        if done.returncode not in codes:
            raise BrokenError(f"{words} ended with {done.returncode}: {done.stderr[-2000:]}{done.stdout[-500:]}")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def audit(self, count: int, number: int) -> dict[str, Any]:
        """Draw photos, answer with what they show, and return what the audit says of the model in use."""
        folder = self.folder / f"audit-{number}"
        self._plain("audit", "--photos", str(count), "--export", str(folder))
        table = folder / "answers.csv"
        head, *rows = table.read_text().splitlines()
        answered = (f"{row.split(',')[0]},{self.truth[_digest(folder / row.split(',')[0])]}" for row in rows)
        table.write_text("\n".join([head, *answered]) + "\n")
        self._plain("labels", "import", str(table), "--yes")
        (told,) = self.run("audit", "--photos", "0")
        return dict(told)

    def _plain(self, *words: str) -> None:
        done = subprocess.run(self._words(*words), capture_output=True, text=True, env=self._environment, check=False)
        if done.returncode:
            raise BrokenError(f"{words} ended with {done.returncode}: {done.stderr[-2000:]}")

    def _labels(self) -> int:
        count = "SELECT count(*) FROM labels WHERE how = 'move'"
        return int(ask_ledger(self.state / LEDGER, lambda connection: connection.execute(count).fetchone()[0]))

    def _until(self, true: Any, what: str) -> None:
        end_s = time.monotonic() + PATIENCE_S
        while not true():
            if time.monotonic() > end_s:
                raise BrokenError(f"{what} for {PATIENCE_S:.0f} s")
            time.sleep(0.1)

    def check(self) -> None:
        """Raise BrokenError unless each photo is whole in exactly one place, and the ledger agrees with the disk."""
        there = Counter(_digest(path) for path in self.places())
        if there != (dropped := Counter(self.truth.keys())):
            lost, more = dropped - there, there - dropped
            raise BrokenError(f"{lost.total()} photos are lost, {more.total()} are there twice")
        rows = self.run("history", "--all")
        told = {row["place"] for row in rows if row["place"]}
        disk = set(map(str, self.places()))
        if told != disk or any(row["state"] == "open" for row in rows):
            raise BrokenError(f"ledger and disk differ: {sorted(told ^ disk)[:3]}")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _drain(lines: Any) -> None:
    with lines:
        for _ in lines:
            pass
