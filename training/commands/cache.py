"""`phototriage cache`: show and clean the cache of decoded photos."""

import json
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from common.options import json_option

if TYPE_CHECKING:
    from rich.table import Table

    from training.dataset.cache_contents import CacheEntry

DAY_S = 86_400


@click.command()
@click.option("--clean", is_flag=True, help="Remove cached data; the next training decodes its photos again.")
@click.option(
    "--older-than",
    type=click.FloatRange(min=0),
    metavar="DAYS",
    help="With --clean: remove only data not used for this many days.",
)
@json_option("one JSON object")
def cache(clean: bool, older_than: float | None, as_json: bool) -> None:
    """Show what the cache of decoded photos and features holds, or clean it.

    The cache is in $XDG_CACHE_HOME/phototriage, by default in ~/.cache/phototriage. Cleaning is safe at any time. A
    running training keeps the files that it has opened. Files that are being written stay, and other files are never
    touched.

    \b
    Examples:
      phototriage cache
      phototriage cache --clean --older-than 30
    """
    if older_than is not None and not clean:
        raise click.UsageError("--older-than needs --clean.")
    from training.dataset.cache import cache_root
    from training.dataset.cache_contents import CleanupResult, clean_cache, list_cache

    root = cache_root()
    cleaned = CleanupResult((), ())
    if clean:
        until_s = float("inf") if older_than is None else time.time() - older_than * DAY_S
        cleaned = clean_cache(root, until_s)
    held = list_cache(root)
    if as_json:
        facts = {
            "root": str(root),
            "entries": [item.to_dict() for item in held],
            "bytes": _size(held),
            "removed": [item.to_dict() for item in cleaned.removed],
            "freed_bytes": _size(cleaned.removed),
            "busy": [item.name for item in cleaned.busy],
        }
        click.echo(json.dumps(facts, ensure_ascii=False))
        return
    for item in cleaned.busy:
        click.echo(f"Skipped, because it is being written: {item.name}")
    if clean:
        click.echo(f"Removed {len(cleaned.removed)} cache entries, {_megabytes(_size(cleaned.removed))}.")
    _show(str(root), held)


def _show(root: str, held: "Sequence[CacheEntry]") -> None:
    from rich.console import Console

    if not held:
        click.echo(f"The cache {root} is empty.")
        return
    Console().print(_table(held))
    click.echo(f"{_megabytes(_size(held))} in {root}.")


def _table(held: "Sequence[CacheEntry]") -> "Table":
    from rich.table import Column, Table

    table = Table("what", "name", Column("photos", justify="right"), Column("size", justify="right"), "last used")
    for item in held:
        used = str(item.to_dict()["last_used"])[:10]
        name = item.name if len(item.name) < 48 else f"{item.name[:12]}..."
        table.add_row(item.kind, name, f"{item.photos:,}", _megabytes(item.size_bytes), used)
    return table


def _size(items: "Sequence[CacheEntry]") -> int:
    return sum(item.size_bytes for item in items)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
