"""A progress bar on a terminal for one pass over an inbox: photos, rate and time left."""

import io
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress_bar(show: Callable[[str], None], total: int) -> Iterator[Callable[[], None]]:
    """Show a bar of one line until the end of the block; yields a function to call for each finished photo.

    Args:
        show: draws on the terminal without waiting.
        total: how many photos there are.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    console = Console(file=_Canvas(show))
    bar = Progress(*columns, console=console, redirect_stdout=False, redirect_stderr=False, transient=True)
    task = bar.add_task("", total=total)
    began_s = time.monotonic()

    def advance() -> None:
        rate = (bar.tasks[0].completed + 1) / max(1e-9, time.monotonic() - began_s)
        bar.update(task, advance=1, description=f"{rate:.0f} photos/s")

    with bar:
        yield advance


class _Canvas(io.StringIO):
    """The terminal as rich sees it."""

    def __init__(self, show: Callable[[str], None]) -> None:
        super().__init__()
        self._show = show

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return sys.stderr.encoding

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self._show(text)
        return len(text)
