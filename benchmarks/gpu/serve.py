"""phototriage as a user runs it, in a process of its own; its events are read as they come."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.gpu.bench import ROOT, Bench, environment


class LateError(Exception):
    """What was waited for did not come; the text holds what the process said."""


class Service:
    """`phototriage watch --json` or `sort --json`.

    prefix: words in front of the command, such as a sandbox.
    """

    def __init__(
        self,
        bench: Bench,
        folder: Path,
        *options: str,
        verb: str = "watch",
        env: Mapping[str, str] | None = None,
        prefix: Sequence[str] = (),
    ) -> None:
        self.inbox, self.output = folder / "inbox", folder / "sorted"
        self.inbox.mkdir(parents=True, exist_ok=True)
        self.began_s = time.monotonic()
        self.events: queue.SimpleQueue[tuple[float, dict[str, Any]]] = queue.SimpleQueue()
        self.errors: list[str] = []
        words = ["--inbox", str(self.inbox), "--output", str(self.output), "--device", bench.device, "--json", *options]
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "phototriage", verb, *words],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
            env={**environment(), "STATE_DIRECTORY": str(folder / "state"), **(env or {})},
        )  # fmt: skip
        (folder / "state").mkdir(exist_ok=True)
        self._readers = [threading.Thread(target=read, daemon=True) for read in (self._lines, self._complaints)]
        for reader in self._readers:
            reader.start()

    def _lines(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("{"):
                self.events.put((time.monotonic(), json.loads(line)))
            else:
                self.errors.append(line)

    def _complaints(self) -> None:
        assert self.process.stderr is not None
        self.errors.extend(self.process.stderr)

    def until(self, name: str, seconds: float) -> tuple[float, dict[str, Any]]:
        """Read on until such an event: when it came, and itself."""
        end_s = time.monotonic() + seconds
        while True:
            try:
                at_s, event = self.events.get(timeout=min(0.2, max(0.01, end_s - time.monotonic())))
            except queue.Empty:
                over = self.process.poll() is not None and self.events.empty()
                if over or time.monotonic() >= end_s:
                    code = self.process.poll()
                    raise LateError(f"no {name} (exit code {code}): {self.said()}") from None
                continue
            if event["event"] == name:
                return at_s, event

    def ready(self, seconds: float = 60.0) -> tuple[float, dict[str, Any]]:
        """Seconds from the start of the process to the ready line, and that."""
        at_s, event = self.until("ready", seconds)
        return at_s - self.began_s, event

    def said(self, most: int = 500) -> str:
        """The end of what it wrote for people."""
        return "".join(self.errors)[-most:]

    def end(self, number: int = signal.SIGTERM, seconds: float = 30.0) -> int:
        """Send a signal and wait for the end: the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.wait(seconds)

    def wait(self, seconds: float) -> int:
        code = self.process.wait(seconds)
        for reader in self._readers:
            reader.join(2)
        return code


@contextmanager
def service(bench: Bench, folder: Path, *options: str, **more: Any) -> Iterator[Service]:
    """Run one, and leave no process behind."""
    one = Service(bench, folder, *options, **more)
    try:
        yield one
    finally:
        if one.process.poll() is None:
            one.process.kill()
            one.wait(10)


def count(folder: Path) -> int:
    """Files below a folder, without markers and notes."""
    return sum(
        not name.startswith(".") and not name.endswith(".why.txt") for _, _, names in os.walk(folder) for name in names
    )
