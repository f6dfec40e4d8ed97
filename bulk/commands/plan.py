"""`phototriage bulk plan`: list the photos."""

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from common.options import json_option
from common.packages import require_bulk
from common.text import printable

if TYPE_CHECKING:
    from bulk.manifest.make import Made
    from bulk.manifest.writer import Progress

ROWS_PER_PART = 1_000
_EVERY_S = 0.2


@click.command()
@click.argument("roots", nargs=-1, required=True, metavar="ROOT...")
@click.option(
    "--output", type=click.Path(path_type=Path), required=True, help="The folder of the plan; it is made if missing."
)
@click.option(
    "--rows-per-part",
    type=click.IntRange(1, 100_000),
    default=ROWS_PER_PART,
    show_default=True,
    help="Photos in a part, which one process judges at a time.",
)
@json_option("the outcome as one JSON object")
def plan(roots: tuple[str, ...], output: Path, rows_per_part: int, as_json: bool) -> None:
    """List photos into a plan, which is a folder of Parquet parts.

    A ROOT is a folder, a URL such as s3://bucket/folder, or a table that names photos: CSV, Parquet or JSON lines with
    a column path. Of a folder, files with the name of a photo are listed; what `watch` leaves alone because of its name
    is left out. The first part is there within seconds. If the listing is stopped, the same command goes on where it
    was.

    \b
    Examples:
      phototriage bulk plan /photos /more --output plan
      phototriage bulk plan s3://bucket/photos --output plan --rows-per-part 5000
      phototriage bulk plan photos.csv --output plan --json
    """
    require_bulk("`bulk plan`", "pyarrow")
    if any("://" in root for root in roots):
        require_bulk("`bulk plan` of a URL", "fsspec")
    from bulk.manifest.make import make_plan

    shown = _Shown()
    made = make_plan(roots, output, rows_per_part, shown.tell)
    shown.clear()
    _say(made, output, as_json=as_json)


def _say(made: "Made", output: Path, *, as_json: bool) -> None:
    done = made.progress
    if done.unread:
        more = ", ..." if done.unread > len(done.examples) else ""
        click.echo(f"{done.unread:,} not read, and left out: {', '.join(done.examples)}{more}", err=True)
    if as_json:
        found = {"plan": str(output), "rows": done.rows, "parts": done.parts, "unread": done.unread}
        click.echo(json.dumps(found))
        return
    before = f", {made.was_there:,} of them before" if made.was_there else ""
    click.echo(f"{done.rows:,} photos in {done.parts:,} parts of {printable(output)}{before}")


class _Shown:
    """One line on a terminal that says how far the listing has come."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._next_s = 0.0

    def tell(self, progress: "Progress") -> None:
        """Show it, a few times a second at most."""
        if self._is_terminal and time.monotonic() >= self._next_s:
            click.echo(f"\r\033[K{progress.rows:,} photos listed in {progress.parts:,} parts", nl=False, err=True)
            self._next_s = time.monotonic() + _EVERY_S

    def clear(self) -> None:
        """Remove the line."""
        if self._is_terminal:
            click.echo("\r\033[K", nl=False, err=True)
