"""What the user sees: one line per photo, trouble said once, and the sum at the end."""

import json
import os
import resource
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import Any

import click

from contract.text import printable
from daemon.companions import MAX_WAITING, is_companion
from daemon.photo import Outcome, Photo
from daemon.scan import scan
from daemon.sieve import Sieve

MAX_PLACES = 4096
"""Folders whose path below the output is remembered."""


class Report:
    """Prints what happens; its methods may be called from any thread.

    Args:
        output: root of the class folders; destinations are shown below it.
        as_json: one JSON object a line on standard output, for scripts.
        quiet: no line per photo.
    """

    def __init__(self, output: Path, *, as_json: bool, quiet: bool) -> None:
        self._output = output
        self._as_json = as_json
        self._quiet = quiet
        self._lock = threading.Lock()
        self._muted = False
        self._obstacles: set[str] = set()
        self._places: dict[str, str] = {}
        self._started_s = time.monotonic()
        self._advance: Callable[[], None] = _nothing
        self.counts: Counter[str] = Counter()
        self.waiting: set[Path] = set()
        self._lonely: set[Path] = set()
        self.cut_short = False

    def say(self, sentence: str) -> None:
        """Say something about the whole on standard error."""
        with self._lock, suppress(OSError):  # nobody listens, or a log's disk is full: no reason to stop filing
            click.echo(sentence, err=True)

    def event(self, name: str, sentence: str, **facts: Any) -> None:
        """Say something that scripts want to know too."""
        if self._as_json:
            self._line(json.dumps({"event": name, **facts}))
        else:
            self.say(sentence)

    def photos(self, photos: list[Photo]) -> None:
        """Report photos whose way is over, in one piece."""
        lines = []
        for photo in photos:
            with self._lock:
                self._count(photo)
                if photo.outcome is not Outcome.AGAIN:  # that one will come by once more
                    self._advance()
            line = _fact(photo) if self._as_json else self._sentence(photo)
            if line and not (self._quiet and photo.outcome in (Outcome.FILED, Outcome.REVIEW)):
                lines.append(line)
        if lines:
            self._line("\n".join(lines))

    def summary(self, *, once: bool) -> None:
        """Say the sum of all since the beginning: with the rate, after one pass."""
        seconds = time.monotonic() - self._started_s
        self.waiting = {path for path in self.waiting if os.path.lexists(path)}  # its owner may have taken it away
        with self._lock:
            self.counts[_LEFT] += sum(os.path.lexists(path) for path in self._lonely)  # whose photo never came
            self._lonely.clear()
            self.counts = +self.counts  # without zeros
        moved = sum(count for name, count in self.counts.items() if name not in _NOT_MOVED)
        classes = ", ".join(f"{printable(name)} {count}" for name, count in sorted(self.counts.items()))
        rate = f" in {seconds:.1f} s, {moved / seconds:.0f} photos/s" if once else ""
        stay = f"; {len(self.waiting)} could not be filed yet and stay in the inbox" if self.waiting else ""
        facts = {"seconds": round(seconds, 3), "counts": dict(self.counts), "not_yet": len(self.waiting)}
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        begin = "stopped early; sorted" if self.cut_short else "sorted" if once else "stopped; filed"
        sentence = f"{begin} {moved} photo{'s' * (moved != 1)}{rate}: {classes or '-'}{stay}"
        self.event("summary", sentence, **facts, peak_memory_mb=round(peak_mb))

    def progress(self, sieve: Sieve) -> AbstractContextManager[object]:
        """Show a bar on a terminal, with rate and time left, for one pass over an inbox, which is counted for it."""
        if self._as_json or not sys.stderr.isatty():
            return nullcontext()
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
        bar = Progress(*columns, console=Console(stderr=True), redirect_stdout=sys.stdout.isatty(), transient=True)
        task = bar.add_task("", total=sum(1 for _ in scan(sieve)))
        began_s = time.monotonic()

        def advance() -> None:
            rate = (bar.tasks[0].completed + 1) / max(1e-9, time.monotonic() - began_s)
            bar.update(task, advance=1, description=f"{rate:.0f} photos/s")

        self._advance = advance
        return bar

    def _count(self, photo: Photo) -> None:
        self.waiting.discard(photo.path)
        self._lonely.difference_update((photo.path, *(part.path for part in photo.companions)))
        self.counts[_COMPANIONS] += len(photo.companions) + bool(photo.follows_row)
        if photo.follows is not None:
            return
        if photo.outcome is Outcome.LEFT and is_companion(photo.path) and len(self._lonely) < MAX_WAITING:
            self._lonely.add(photo.path)
        elif photo.outcome is Outcome.AGAIN:
            self.waiting.add(photo.path)
        elif photo.outcome is Outcome.FILED:
            self.counts[photo.label] += 1
        else:
            self.counts[_COUNTED_AS[photo.outcome]] += 1

    def _sentence(self, photo: Photo) -> str:
        name = printable(photo.relpath / photo.path.name if photo.relpath.parts else photo.path.name)
        if photo.follows is not None:  # its photo's line names it, unless that was said before
            return f"{name} -> {self._place(photo)}, it follows its photo" if photo.follows_row else ""
        match photo.outcome:
            case Outcome.FILED | Outcome.REVIEW | Outcome.FAILED | Outcome.DUPLICATE:
                self._obstacles.clear()
                return f"{name} -> {self._where(photo)}"
            case Outcome.LEFT:
                return f"{name} stays in the inbox: {photo.reason}"
            case Outcome.AGAIN if photo.waited_s == 0.0 and photo.fault is not None:
                return f"{name} stays in the inbox for now: {photo.reason}"
            case Outcome.AGAIN if photo.fault is None and (key := _obstacle(photo)) not in self._obstacles:
                self._obstacles.add(key)
                return f"{name} stays in the inbox for now, as will others: {photo.reason}"
        return ""

    def _where(self, photo: Photo) -> str:
        place = self._place(photo)
        took = f"{_took_ms(photo):.0f} ms"
        parts = ", ".join(printable(part.path.name) for part in photo.companions)
        ending = f", with {parts}" if parts else ""
        if photo.outcome in (Outcome.FAILED, Outcome.DUPLICATE):
            return f"{place}: {photo.reason}{ending}"
        unsure = f" ({photo.reason})" if photo.reason else ""
        return f"{place} {photo.probability:.2f} {took}{unsure}{ending}"

    def _place(self, photo: Photo) -> str:
        assert photo.destination is not None
        folder, name = os.path.split(photo.destination)
        if folder not in self._places:
            if len(self._places) >= MAX_PLACES:
                self._places.clear()
            self._places[folder] = printable(os.path.relpath(folder, self._output))
        place = self._places[folder]
        return place if name == photo.path.name else f"{place}/{printable(name)}"

    def _line(self, line: str) -> None:
        with self._lock:
            if self._muted:
                return
            try:
                click.echo(_encodable(line))
            except BrokenPipeError:  # whoever read along has gone; the filing goes on
                self._muted = True
                sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
            except OSError:
                return  # a log's disk is full; the next line may find room


def _took_ms(photo: Photo) -> float:
    """From the drop to the class folder; for a photo that a scan found, whose drop nobody saw, its own stages."""
    if photo.announced:
        return photo.times_ms["total"]
    return sum(photo.times_ms.get(stage, 0.0) for stage in ("read", "decode", "infer", "file"))


def _nothing() -> None:
    pass


_LEFT, _COMPANIONS = "left in the inbox", "companion files"
_COUNTED_AS = {
    Outcome.REVIEW: "_review",
    Outcome.FAILED: "_failed",
    Outcome.DUPLICATE: "_duplicates",
    Outcome.LEFT: _LEFT,
    Outcome.GONE: "gone meanwhile",
}

_NOT_MOVED = (_LEFT, _COUNTED_AS[Outcome.GONE], _COMPANIONS)
"""Counts of what is no photo that was moved."""


def _encodable(line: str) -> str:
    """Escape what the terminal's or log's own encoding does not know: a name must not end the daemon."""
    encoding = sys.stdout.encoding or "utf-8"
    return line.encode(encoding, "backslashreplace").decode(encoding)


def _obstacle(photo: Photo) -> str:
    return photo.reason.replace(printable(photo.path.name), "")


def _fact(photo: Photo) -> str:
    facts = {
        "event": "photo" if photo.follows is None else "companion",
        "path": str(photo.path),
        "outcome": photo.outcome.value,
        "label": photo.label,
        "probability": round(photo.probability, 6),
        "destination": str(photo.destination) if photo.destination else None,
        "companions": [str(part.destination) for part in photo.companions],
        "reason": photo.reason,
        "sha256": photo.sha256,
        "times_ms": {name: round(value, 3) for name, value in photo.times_ms.items()},
    }
    return json.dumps(facts)
