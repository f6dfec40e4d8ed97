"""The steps of an undo as a table or as JSON lines."""

import json
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from common.tables import PART, show_parts
from common.text import printable

if TYPE_CHECKING:
    from daemon.undo.plan import Step

Facts = dict[str, Any]


def facts_of(groups: "Iterable[list[Step]]") -> Iterator[Facts]:
    """Yield a step for scripts: first the photo's, then those of its companions."""
    for group in groups:
        for step in group:
            gone = step.intent is not None and not step.reason
            yield {
                "path": str(step.record.path),
                "destination": str(step.intent.destination) if gone and step.intent else None,
                "label": step.record.intent.label,
                "companion": step.record.intent.part_of is not None,
                "to": "class" if step.record.intent.refiles is not None else "inbox",
                "reason": step.reason,
                "note": step.note,
            }


def when_all_are_done(steps: Iterator[Facts]) -> Iterator[Facts]:
    """Yield the steps after the last one: a reader that pauses or ends, such as `less`, must not stop the work.

    Meanwhile they are compressed, because a million photos may go back.
    """
    parts = []
    while some := list(islice(steps, PART)):
        parts.append(zlib.compress(json.dumps(some).encode()))
    for part in parts:
        yield from json.loads(zlib.decompress(part))


def print_json(steps: Iterable[Facts]) -> bool:
    """Print one object per line; returns whether something stays, or has a note."""
    stay = False
    for step in steps:
        click.echo(json.dumps(step))
        stay = stay or bool(step["reason"] or step["note"])
    return stay


def print_table(steps: Iterable[Facts], *, dry_run: bool) -> bool:
    """Print the table and how many photos it is about; returns whether something stays, or has a note."""
    from rich.table import Table
    from rich.text import Text

    count: Counter[str] = Counter()

    def _rows() -> Iterator[list[Text]]:
        for step in steps:
            stays = bool(step["reason"] or step["note"])
            count["stay"] += stays
            count["photos"] += not step["companion"]
            count[step["to"]] += not step["companion"] and not stays
            place = step["note"] or step["destination"] if step["destination"] else f"stays: {step['reason']}"
            yield [Text(printable(step["path"])), Text(printable(place))]

    def _table() -> Table:
        new = Table(box=None, pad_edge=False)
        new.add_column("from", overflow="fold")
        new.add_column("back to, or why it stays", overflow="fold")
        return new

    show_parts(_table, _rows())
    verb = "would go" if dry_run else "went"
    click.echo(f"{_back(count, verb)}.", err=True)
    return bool(count["stay"])


def _back(count: Counter[str], verb: str) -> str:
    """Return how many photos went where, and how many stay."""
    said = []
    if count["inbox"] or not count["class"]:
        said.append(f"{photos(count['inbox'])} {verb} back to the inbox")
    if count["class"]:
        said.append(f"{photos(count['class'])} {verb} back to the former class")
    if left := count["photos"] - count["inbox"] - count["class"]:
        said.append(f"{photos(left)} could not")
    return "; ".join(said)


def photos(count: int) -> str:
    """Return a number of photos in words."""
    return f"{count:,} photo{'s' * (count != 1)}"
