"""Show progress: a bar on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

Tick = Callable[[int], None]
LINE_EVERY_S = 15.0


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        """Photos per second."""
        return Text(f"{task.speed:,.0f} photos/s" if task.speed else "")


class Reporter:
    """Prints the messages and the progress of a command.

    Args:
        console: prints to the terminal.
        clock: seconds, for the rate in plain lines.
    """

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self.console, self._clock = console, clock

    def say(self, line: str) -> None:
        """Print one line. Markup in file names is not interpreted."""
        self._print(line)

    def _print(self, line: str) -> None:
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def work(self, name: str, total: int) -> Iterator[Tick]:
        """Show progress over `total` photos; call the value with the number done since the last call."""
        if not self.console.is_terminal:
            yield self._plain(name, total)
            return
        text = TextColumn("{task.description}", markup=False)
        with Progress(text, BarColumn(), _Rate(), TimeRemainingColumn(), console=self.console, transient=True) as bar:
            task = bar.add_task(name, total=total)
            yield lambda done: bar.advance(task, done)

    def _plain(self, name: str, total: int) -> Tick:
        started = said = self._clock()
        count = 0

        def tick(done: int) -> None:
            """Count, and print a line every `LINE_EVERY_S`."""
            nonlocal said, count
            count += done
            now = self._clock()
            if now - said >= LINE_EVERY_S:
                said, rate = now, count / (now - started)
                left = duration((total - count) / rate) if rate else "unknown time"
                self._print(f"{name}: {count} of {total}, {rate:,.0f} photos/s, {left} left")

        return tick


class ProgressAlone(Reporter):
    """Shows progress, and prints no message: for work of which the reader has been told."""

    def say(self, line: str) -> None:
        """Print nothing."""


def duration(seconds: float) -> str:
    """Seconds in words: `42 s`, `3 min 05 s`, `2 h 07 min`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
