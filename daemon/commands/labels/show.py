"""Prints what people said, and what waits: a table and sentences, or JSON lines."""

import json
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click

from common.tables import show_parts
from common.text import printable
from contract.labels import ENOUGH
from daemon.commands.labels.overview import Overview, Question, ShownLabel, Waiting
from daemon.labels.findings import Why
from daemon.process.clock import local

MOST_WAITING = 20
"""Photos that wait are named up to so many."""
_REPLIES = {
    "labels": "each photo is of the class where it lies now",
    "renamed": "the class has a new name; nothing is said about single photos",
    "ignore": "the moves say nothing",
}


def print_json(overview: Overview, labels: Iterable[ShownLabel]) -> None:
    """Print one object per line: labels, what waits, proposed classes, questions, then the look."""
    for kind, facts in _facts(overview, labels):
        click.echo(json.dumps({"what": kind, "inbox": str(overview.inbox) if overview.inbox else None, **facts}))


def _facts(overview: Overview, labels: Iterable[ShownLabel]) -> Iterator[tuple[str, dict[str, Any]]]:
    for one in labels:
        yield "label", _label_facts(one)
    for waiting in overview.waiting:
        facts = {**waiting._asdict(), "counts_from": _iso(waiting.counts_from_s)}
        del facts["counts_from_s"]
        yield "waiting", facts
    for proposed in overview.proposed:
        yield "proposed class", {**proposed._asdict(), "needed": ENOUGH}
    for name, files in overview.unknown.items():
        yield "unknown files", {"class": name, "files": files}
    for question in overview.questions:
        yield "question", {
            "number": question.number, "at": _iso(question.at_s), "why": question.why.name.lower(),
            "left": question.left, "entered": question.entered, "photos": question.photos,
        }  # fmt: skip
    last = overview.last_look_s
    yield "look", {
        "output": str(overview.output) if overview.output else None, "at": None if last is None else _iso(last),
        "obstacle": overview.obstacle, "why_folders_cannot_teach": overview.why_not,
    }  # fmt: skip


def _label_facts(one: ShownLabel) -> dict[str, Any]:
    return {
        "number": one.number, "at": _iso(one.at_s), "how": one.how, "path": str(one.path), "gone": one.is_gone,
        "shown": one.shown, "probability": round(one.probability, 6), "model": one.model, "said": one.said,
        "sha256": one.sha256, "in_force": one.is_in_force,
    }  # fmt: skip


def print_tables(overview: Overview, labels: Iterable[ShownLabel], *, is_only: bool) -> None:
    """Print a table, then sentences about what waits.

    Args:
        overview: of one ledger.
        labels: newest first.
        is_only: whether there is no other ledger, so that no command needs --inbox.
    """
    from rich.table import Table
    from rich.text import Text

    def _table() -> Table:
        title = f"{printable(overview.inbox or '?')} to {printable(overview.output or '?')}"
        new = Table(title=title, title_justify="left", box=None, pad_edge=False)
        new.add_column("number", justify="right")
        new.add_column("when", no_wrap=True)
        for heading in ("photo", "model said", "people said"):
            new.add_column(heading, overflow="fold")
        new.add_column("how")
        return new

    rows = ([*map(Text, _cells(one, overview.output))] for one in labels)
    if not show_parts(_table, rows):
        click.echo(f"{printable(overview.inbox or overview.ledger)}: nobody has said anything about a photo yet.")
    for sentence in _sentences(overview, is_only=is_only):
        click.echo(sentence)


def _cells(one: ShownLabel, output: Path | None) -> Iterator[str]:
    yield str(one.number)
    yield _clock(one.at_s)
    below = output is not None and one.path.is_relative_to(output)
    path = one.path.relative_to(output) if output is not None and below else one.path
    yield printable(path) + (" (gone)" if one.is_gone else "")
    yield _shown(one.shown, one.probability)
    yield (printable(one.said) or "taken back") + ("" if one.is_in_force else ", until later")
    yield one.how


def _sentences(overview: Overview, *, is_only: bool) -> Iterator[str]:
    for one in overview.waiting[:MOST_WAITING]:
        yield _about_waiting(one)
    if (more := len(overview.waiting) - MOST_WAITING) > 0:
        yield f"Seen once: {more:,} more."
    for proposed in overview.proposed:
        yield (
            f"Proposed class {printable(proposed.name)}: {proposed.groups:,} of {ENOUGH} photos, used from {ENOUGH} "
            "photos of different groups on."
        )
    if overview.unknown:
        counts = ", ".join(f"{printable(name)} {files:,}" for name, files in overview.unknown.items())
        yield (
            f"Photos that came into class folders since the first look and that no ledger knows: {counts}. They say "
            "nothing by themselves; "
            f"`phototriage labels import {shlex.quote(printable(overview.output or ''))}` makes labels of them."
        )
    which = "" if is_only or overview.inbox is None else f" --inbox {shlex.quote(printable(overview.inbox))}"
    for question in overview.questions:
        yield f"Question {question.number}, asked {_clock(question.at_s)}: {_asked(question)}"
        for reply, means in _REPLIES.items():
            yield f"  phototriage labels answer {question.number} {reply}{which}    # {means}"
    if overview.why_not:
        yield f"Folders cannot teach here. {overview.why_not} `phototriage labels add` can."
    if overview.obstacle:
        last = overview.last_look_s
        yield f"Not looked at now, because {overview.obstacle}. Last look: {'never' if last is None else _clock(last)}."


def _about_waiting(one: Waiting) -> str:
    said, from_s = printable(one.said), one.counts_from_s
    return (
        f"Seen once: {printable(one.place)}, {_shown(one.shown, one.probability)}; counts as {said} from "
        f"{local(from_s):%H:%M:%S} on, at the next look, if it stays there."
    )


def _asked(question: Question) -> str:
    photos = f"{question.photos:,} photo{'s' * (question.photos != 1)}"
    left, entered = printable(question.left), printable(question.entered)
    if question.why is Why.FOLDER:
        return f"the folder {left} was moved or renamed to {entered}, with {photos}. What does that mean?"
    if question.why is Why.MANY:
        return f"{photos} of {left} were moved at once. What does that mean?"
    return f"{photos} lie elsewhere after the output was away, restored or exchanged. What does that mean?"


def _shown(label: str, probability: float) -> str:
    return f"{printable(label)} {probability:.2f}" if label else "-"


def _clock(at_s: float) -> str:
    return f"{local(at_s):%Y-%m-%d %H:%M:%S}"


def _iso(at_s: float) -> str:
    return local(at_s).isoformat(timespec="milliseconds")
