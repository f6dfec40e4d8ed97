"""Photos, models and a clock for the daemon's tests, and the real daemon as a process."""

import io
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import fields
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, settings
from numpy.typing import NDArray
from PIL import Image

from common.errors import PhotoError, Reason
from contract.session import Model, open_model
from daemon.classify.classify import Answer
from daemon.classify.decide import judge
from daemon.classify.loaded_model import Rules
from daemon.decode.guard import Guard
from daemon.decode.suspects import CrashJournal
from daemon.files.identity import Identity
from daemon.filing.filer import Filer
from daemon.filing.layout import FilingOptions
from daemon.intake.walk import MARKER
from daemon.ledger.ledger import Intent, Ledger
from daemon.photo import Filing, Found, Judgement, Outcome, Photo, Read
from daemon.process.log_level import Level, Say
from tests.colour_model import LABELS, colour_model

ROOT = Path(__file__).resolve().parents[2]
QUICK = settings(deadline=None, database=None, suppress_health_check=list(HealthCheck))
DEADLINE_S = 60.0
"""How long a test waits for what must come at once; far more than a busy machine needs."""


HASTY = """
from PIL import Image, ImageFile, PpmImagePlugin
import time
import daemon.pipeline, daemon.process.heartbeat, daemon.status.supervisor
daemon.pipeline.LOOK_UP_S = 0.2
daemon.process.heartbeat.STUCK_S = 3.0
daemon.status.supervisor.STATUS_S = 0.2

class Sleeper(ImageFile.PyDecoder):
    _pulls_fd = True

    def decode(self, buffer):
        time.sleep(3600)

Image.register_decoder("ppm_plain", Sleeper)
"""
"""A `sitecustomize` module: plain PPM pictures hang the decoder, and a stage is thought stuck after three seconds."""

IMPATIENT = """
import daemon.labels.look, daemon.live_looks
daemon.labels.look.CONFIRM_S = 0.01
daemon.live_looks.LOOK_EVERY_S = daemon.live_looks.ASK_EVERY_S = 0.05
"""
"""A `sitecustomize` module: looks follow each other at once, and the second one confirms."""


class HandClock:
    """A clock that is turned by hand, both of its faces at once."""

    def __init__(self, now_s: float = 1_000.0) -> None:
        self.now_s = now_s

    def monotonic_s(self) -> float:
        return self.now_s

    def wall_s(self) -> float:
        return self.now_s

    def turn(self, seconds: float) -> None:
        self.now_s += seconds


def saying(said: list[str], levels: list[Level] | None = None) -> Say:
    """Return a function that adds each sentence to a list, and its level to another one."""

    def say(sentence: str, level: Level = Level.WARNING, /) -> None:
        said.append(sentence)
        if levels is not None:
            levels.append(level)

    return say


def identity(inode: int = 1, size: int = 10, mtime_ns: int = 5, device: int = 1) -> Identity:
    return Identity(device, inode, size, mtime_ns)


def identity_of(path: Path) -> Identity:
    return Identity.of(path.lstat())


def encoded(image: Image.Image, pillow_format: str = "JPEG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, pillow_format, **options)
    return out.getvalue()


@cache
def plain(colour: str, size_px: int = 40) -> bytes:
    """Return a JPEG that the colour model is sure of."""
    return encoded(Image.new("RGB", (size_px, size_px), colour))


def unique(colour: str, number: int) -> bytes:
    """Return a photo of a colour whose bytes no other number gives: what follows a JPEG's end is not read."""
    return plain(colour) + f"photo {number}".encode()


def write(path: Path, data: bytes, mtime_s: float | None = None) -> Path:
    path.write_bytes(data)
    if mtime_s is not None:
        os.utime(path, (mtime_s, mtime_s))
    return path


def digest(data: bytes) -> str:
    return sha256(data).hexdigest()


@cache
def model() -> Model:
    """Open the colour model, once for all tests of a file."""
    return open_model(colour_model(), "cpu")


def model_file(folder: Path) -> Path:
    path = folder / "colours.onnx"
    path.write_bytes(colour_model())
    return path


def rules(**changes: Any) -> Rules:
    thresholds = dict.fromkeys(LABELS, 0.0)
    fields: dict[str, Any] = {"labels": LABELS, "thresholds": thresholds, "give_up_after_s": 60.0}
    return Rules(**(fields | {"model": "m", "provider": "cpu"} | changes))


def roots(folder: Path) -> tuple[Path, Path]:
    """Make an inbox, and an output that carries its marker."""
    inbox, output = folder / "inbox", folder / "output"
    inbox.mkdir()
    output.mkdir()
    (output / MARKER).write_text('{"id": "1"}')
    return inbox, output


@contextmanager
def opened_ledger(path: Path) -> Iterator[Ledger]:
    ledger = Ledger(path)
    try:
        yield ledger
    finally:
        ledger.close()


@contextmanager
def opened_filer(output: Path, ledger_path: Path, clock: HandClock | None = None, **options: Any) -> Iterator[Filer]:
    with opened_ledger(ledger_path) as ledger:
        yield Filer(output, ledger, clock or HandClock(), options=FilingOptions(**options))  # type: ignore[arg-type]


@contextmanager
def opened_guard(notes: Path) -> Iterator[Guard]:
    with closing(CrashJournal(notes)) as written, closing(Guard(written)) as guard:
        yield guard


STAGES = (("found", Found), ("read", Read), ("judgement", Judgement), ("filing", Filing))


def photo_of(path: Path, known_as: Identity | None = None, **facts: Any) -> Photo:
    """Return a photo on its way; each fact goes to the values of all stages that have a field of its name.

    Without an identity, that of the file at the path is taken.
    """
    facts = {"path": path, "identity": known_as or identity_of(path), **facts}
    values = {stage: {name: facts[name] for name in _fields(kind) & set(facts)} for stage, kind in STAGES}
    unknown = set(facts).difference(*values.values(), {"times_ms"})
    assert not unknown, unknown
    parts: dict[str, Any] = {stage: kind(**values[stage]) for stage, kind in STAGES if values[stage]}
    return Photo(**parts, times_ms=dict(facts.get("times_ms", {})))


@cache
def _fields(kind: type) -> frozenset[str]:
    return frozenset(field.name for field in fields(kind))


def judged(photo: Photo, answer: NDArray[np.float32] | None = None, **changes: Any) -> Photo:
    """Judge a photo by an answer of the model, or by the fault of its reading, under `rules(**changes)`."""
    scores = None if answer is None else Answer(answer, None, 1.0)
    photo.judgement = judge(photo.found, photo.read, scores, rules(**changes))
    return photo


def scored(path: Path, colour: str = "red", **changes: Any) -> Photo:
    """Return a photo of a colour as it comes to the filer; `changes` are of the rules."""
    scores = np.full(len(LABELS), 0.01, np.float32)
    scores[LABELS.index(colour)] = 0.98
    return judged(photo_of(path, announced=True, sha256=digest(path.read_bytes())), scores, **changes)


def faulty(path: Path, reason: Reason, detail: str = "the cause", unchanged_s: float = 1e6, **changes: Any) -> Photo:
    """Return a photo that cannot be read, as it comes to the filer; `changes` are of the rules."""
    facts: dict[str, Any] = {
        "fault": PhotoError(reason, detail),
        "unchanged_s": unchanged_s,
        "sha256": digest(path.read_bytes()),
    }
    return judged(photo_of(path, **facts), **changes)


def companion(path: Path) -> Photo:
    """Return a companion as it comes to the filer."""
    return photo_of(path, is_companion=True)


def intent(source: Path, destination: Path, **changes: Any) -> Intent:
    """Return the intent to move the file that now stands at `source`."""
    fields: dict[str, Any] = {"becomes": Outcome.FILED, "source": source, "destination": destination, "label": "red"}
    if "identity" not in changes:
        fields["identity"] = identity_of(source)
    if "sha256" not in changes:
        fields["sha256"] = digest(source.read_bytes())
    return Intent(**(fields | changes))


def tree(folder: Path) -> dict[str, bytes]:
    """Return what lies below a folder, by path; without links, special files and our markers.

    A file that a daemon moves between the listing and the reading is left out, because it is gone.
    """
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink() and not path.name.startswith(MARKER):
            with suppress(FileNotFoundError):
                found[path.relative_to(folder).as_posix()] = path.read_bytes()
    return found


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def wait_until(true: Callable[[], bool], what: str) -> None:
    """Wait for what another thread or process brings about; fails after the deadline."""
    end_s = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < end_s, f"in vain waited for: {what}"
        time.sleep(0.005)


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "phototriage", *map(os.fsdecode, arguments)]


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), **more}


def run(
    *arguments: str | Path, env: Mapping[str, str] | None = None, **options: Any
) -> "subprocess.CompletedProcess[str]":
    """Run `phototriage ARGUMENTS` to its end."""
    whole = environment(**(env or {}))
    return subprocess.run(command(*arguments), capture_output=True, text=True, timeout=DEADLINE_S, env=whole, **options)


class Daemon:
    """`phototriage watch --json` (or `sort`) as a process; its lines are read as they come."""

    def __init__(
        self,
        *arguments: str | Path,
        env: Mapping[str, str] | None = None,
        verb: str = "watch",
        prefix: Sequence[str] = (),
    ) -> None:
        self.events: list[dict[str, Any]] = []
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.errors: list[str] = []
        self.process = subprocess.Popen(
            [*prefix, *command(verb, "--json", *arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=environment(**(env or {})),
        )  # fmt: skip
        readers = ((self.process.stdout, self._lines.put), (self.process.stderr, self.errors.append))
        self._readers = [threading.Thread(target=_pump, args=reader) for reader in readers]
        for reader in self._readers:
            reader.start()

    def until(self, wanted: Callable[[dict[str, Any]], bool], what: str) -> dict[str, Any]:
        """Read on until an event comes that is wanted, and return it."""
        end_s = time.monotonic() + DEADLINE_S
        while True:
            try:
                line = self._lines.get(timeout=max(0.01, end_s - time.monotonic()))
            except queue.Empty:
                raise AssertionError(
                    f"in vain waited for: {what}; errors: {self.errors}, events: {self.events}"
                ) from None
            event = json.loads(line)
            self.events.append(event)
            if wanted(event):
                return dict(event)

    def ready(self) -> dict[str, Any]:
        return self.until(lambda event: event["event"] == "ready", "the ready line")

    def photos(self, names: set[str]) -> dict[str, dict[str, Any]]:
        """Read on until each name has been reported; returns the last report by name."""
        got: dict[str, dict[str, Any]] = {}
        while not names <= set(got):
            event = self.until(lambda event: event["event"] == "photo", f"reports of {sorted(names - set(got))}")
            got[Path(event["path"]).name] = event
        return got

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, wait for the end, and return the exit code."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        code = self.process.wait(DEADLINE_S)
        for reader in self._readers:
            reader.join(DEADLINE_S)
        while not self._lines.empty():
            self.events.append(json.loads(self._lines.get()))
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.wait()
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()


def _pump(stream: Any, put: Callable[[str], object]) -> None:
    for line in stream:
        put(line)


@contextmanager
def daemon(
    *arguments: str | Path, env: Mapping[str, str] | None = None, verb: str = "watch", prefix: Sequence[str] = ()
) -> Iterator[Daemon]:
    process = Daemon(*arguments, env=env, verb=verb, prefix=prefix)
    try:
        yield process
    finally:
        process.close()
