"""What a run says while it runs, and at its end."""

import json
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, TextIO

import click

from bulk.results.schema import VERDICTS

EVERY_S, EVERY_S_ON_TERMINAL = 30.0, 0.2


def _on_terminal() -> bool:
    return sys.stderr.isatty()


def _stdout() -> TextIO:
    return sys.stdout


@dataclass(slots=True)
class Progress:
    """Counts and shows.

    Attributes:
        parts: of the plan.
        before: of them, those that were done already.
        as_json: whether to print one JSON object a line on standard output.
        done: parts judged now.
        verdicts: photos of those parts by verdict.
        under_way: photos judged of each part that is not done.
    """

    parts: int
    before: int
    as_json: bool = False
    done: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    under_way: dict[str, int] = field(default_factory=dict)
    _began_s: float = field(default_factory=time.monotonic)
    _said_s: float = -EVERY_S
    _on_terminal: bool = field(default_factory=_on_terminal)
    _out: TextIO = field(default_factory=_stdout)

    @property
    def photos(self) -> int:
        """How many photos are judged, those of unfinished parts too."""
        return self.verdicts.total() + sum(self.under_way.values())

    def begin(self, where: str, workers: int) -> None:
        """Start the clock, because the first worker is ready; say where the model runs, and in how many processes."""
        self._began_s = time.monotonic()
        left = self.parts - self.before
        parts, processes = f"part{'s' * (left != 1)}", f"process{'es' * (workers != 1)}"
        click.echo(f"judging {left:,} {parts} on the {where}, in {workers} {processes}", err=True)

    def heard(self, part: str, photos: int) -> None:
        """Note how many photos of a part are judged; 0 if it is given back."""
        self.under_way[part] = photos
        self.show()

    def finished(self, part: str, counts: dict[str, int]) -> None:
        """Note that a part is published, with its photos by verdict."""
        self.under_way.pop(part, None)
        self.done += 1
        self.verdicts.update(counts)
        self.event(event="part", part=part, photos=sum(counts.values()), **counts)
        if self.done == 1:
            self._said_s = -EVERY_S
        self.show()

    def event(self, **facts: Any) -> None:
        """Print a JSON object, where that is asked for."""
        if self.as_json:
            click.echo(json.dumps(facts), file=self._out)

    def show(self) -> None:
        """Show on standard error how far the run is, if it is time to."""
        now_s = time.monotonic()
        if now_s - self._said_s < (EVERY_S_ON_TERMINAL if self._on_terminal else EVERY_S) or not self.photos:
            return
        self._said_s = now_s
        text = self._text(now_s)
        click.echo(f"\r\x1b[K{text}" if self._on_terminal else text, err=True, nl=not self._on_terminal)

    def say(self, sentence: str) -> None:
        """Say a sentence on standard error."""
        self.clear()
        click.echo(f"phototriage: {sentence}", err=True)

    def clear(self) -> None:
        """Take the line off the terminal."""
        if self._on_terminal:
            click.echo("\r\x1b[K", err=True, nl=False)

    def summary(self) -> dict[str, Any]:
        """Return the sums."""
        took_s = time.monotonic() - self._began_s
        return {
            "parts": self.done,
            "parts_before": self.before,
            "parts_of_plan": self.parts,
            "photos": self.verdicts.total(),
            **{verdict: self.verdicts[verdict] for verdict in VERDICTS},
            "seconds": round(took_s, 3),
            "photos_per_s": round(self.verdicts.total() / took_s, 2) if took_s > 0 else 0.0,
        }

    def _text(self, now_s: float) -> str:
        rate = self.photos / max(now_s - self._began_s, 1e-3)
        text = f"{self.before + self.done:,} of {self.parts:,} parts, {self.photos:,} photos judged, {rate:,.0f}/s"
        if self.done:
            left = (self.parts - self.before - self.done) * self.verdicts.total() / self.done
            left = max(0.0, left - sum(self.under_way.values()))
            text += f", about {_in_words(left / rate)} left"
        return text


def _in_words(seconds: float) -> str:
    for unit, name in ((86_400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:,.0f} {name}"
    return f"{seconds:.0f} s"
