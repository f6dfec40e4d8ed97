"""`phototriage demo`: run the daemon in a temporary folder on pictures that code draws."""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import click

from common.errors import PhototriageError
from common.packages import require_runtime

PICTURES_EACH = 2
PATIENCE_S = 60.0
MISTAKEN = "street"
"""Of the drawn scenes, the one that models of photos mistake: its walls fill it as those of buildings do."""


class DemoError(PhototriageError):
    """The demonstration's daemon ended too early."""


@click.command()
def demo() -> None:
    """Run the daemon on drawn pictures, then exit.

    Starts `phototriage watch` on a temporary inbox and drops a few drawn pictures into it, the last ones of no class
    that the model knows. Prints where each one was filed, how sure the shipped model was and how long it took. Drawn
    pictures show that filing works, but not how accurate the model is, because it was trained on photos. Nothing
    outside the temporary folder is touched.

    \b
    Examples:
      phototriage demo
    """
    require_runtime("`demo`")
    with tempfile.TemporaryDirectory(prefix="phototriage-demo-") as name:
        folder = Path(name)
        _print(list(filed_pictures(folder, click.echo)), folder)


def filed_pictures(folder: Path, say: Callable[[str], None] = lambda _: None) -> Iterator[dict[str, Any]]:
    """Let the real daemon file drawn pictures one after the other; yield its event for each.

    Args:
        folder: an empty folder, in which inbox, output and ledger are made.
        say: prints a sentence of progress.
    """
    from common.drawing import KINDS, STRANGERS, draw_scene

    for part in ("inbox", "outside", "state"):
        (folder / part).mkdir()
    say("Starting the daemon: phototriage watch --inbox inbox --output sorted")
    started_s = time.monotonic()
    with _daemon(folder) as events:
        ready = _next(events, "ready")
        say(f"Ready after {time.monotonic() - started_s:.1f} s on the {ready['provider'].upper()}.")
        for kind in (*(kind for kind in KINDS if kind != MISTAKEN), *STRANGERS):
            for seed in range(PICTURES_EACH):
                drawn = folder / "outside" / f"drawn-{kind}-{seed + 1}.jpg"
                draw_scene(kind, seed).save(drawn, quality=90)
                drawn.rename(folder / "inbox" / drawn.name)
                yield _next(events, "photo")


@contextmanager
def _daemon(folder: Path) -> Iterator[IO[str]]:
    """Run the real daemon in its own process and yield its output; stop it at the end."""
    command = [sys.executable, "-m", "phototriage", "watch", "--json"]
    command += ["--inbox", str(folder / "inbox"), "--output", str(folder / "sorted")]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PHOTOTRIAGE_")}
    environment |= {"XDG_STATE_HOME": str(folder / "state"), "STATE_DIRECTORY": "", "NOTIFY_SOCKET": ""}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        watchdog = threading.Timer(PATIENCE_S, process.kill)
        watchdog.start()
        try:
            assert process.stdout is not None
            yield process.stdout
        finally:
            watchdog.cancel()
            process.terminate()


def _next(events: IO[str], name: str) -> dict[str, Any]:
    """Wait for the daemon's next event of this name; raise DemoError if the daemon ends first."""
    for line in events:
        event: dict[str, Any] = json.loads(line)
        if event["event"] == name:
            return event
    raise DemoError("The daemon ended before all pictures were filed. Its messages are above.")


def _print(rows: list[dict[str, Any]], folder: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="Where each picture was filed; ms from drop to class folder", title_justify="left")
    for heading in ("picture", "filed under"):
        table.add_column(heading)
    for heading in ("probability", "ms"):
        table.add_column(heading, justify="right")
    for event in rows:
        where = Path(event["destination"]).relative_to(folder).parent if event["destination"] else event["outcome"]
        table.add_row(
            Path(event["path"]).name, str(where), f"{event['probability']:.2f}", f"{event['times_ms']['total']:.0f}"
        )
    Console().print(table)
    click.echo(
        "The pictures are drawn by code. They show that filing works, but not how accurate the model is on photos."
    )
    if any(event["review_reason"] == "unfamiliar" for event in rows):
        click.echo("The pictures in _review are unlike the photos that the model has learnt from.")
    elif all(event["familiarity"] is None for event in rows):
        click.echo(
            "This model does not tell such pictures from scenes, so the dinners got the most probable class too."
        )
    click.echo("Now try your own photos: phototriage watch --inbox ./inbox --output ./sorted   (or: make run)")
