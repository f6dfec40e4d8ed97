"""Makes a plan: lists its roots one after the other and publishes parts; the same call goes on after a kill."""

import json
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from bulk.errors import PlanError, RootError
from bulk.manifest.chunk import Source
from bulk.manifest.parts import PARTS, PLAN, VERSION, Plan, plan_of, read_facts
from bulk.manifest.sources import open_root, resolve
from bulk.manifest.writer import PartWriter, Progress, Tell, progress_of
from common.publish import publish_bytes
from common.text import printable
from daemon.files.locks import FolderLock

THREADS = 32
"""Answers of storage that are waited for at a time. On a local disk more than one thread neither helps nor harms."""

_TOLD = ("rows", "parts", "unread", "examples")
"""What plan.json holds of a listing that has come to its end."""


@dataclass(frozen=True)
class Made:
    """A plan that is complete.

    Attributes:
        plan: it.
        progress: what it holds, and what could not be read.
        was_there: rows that an earlier call had listed.
    """

    plan: Plan
    progress: Progress
    was_there: int


def make_plan(roots: Sequence[str], output: Path, rows_per_part: int, tell: Tell = lambda _: None) -> Made:
    """List photos into a plan, or go on with one.

    Args:
        roots: folders, URLs, or tables with a column `path`.
        output: the plan's folder.
        rows_per_part: photos in a part.
        tell: called after each part, and once before the first one.

    Raises:
        PlanError: the folder cannot be written, holds another plan, or another process is making it.
        RootError: a root cannot be listed; parts stay, and a later call goes on.
    """
    named = [resolve(root) for root in roots]
    _check_apart(named)
    sources = [open_root(root) for root in named]
    try:
        (output / PARTS).mkdir(parents=True, exist_ok=True)
        lock = FolderLock(output, f"Another process is making {printable(output)} now. Wait until it ends.")
        try:
            facts = _facts(output, named, rows_per_part)
            progress = progress_of(output)
            was_there = progress.rows
            if not facts["is_complete"]:
                tell(progress)
                _list(sources, PartWriter(output, rows_per_part, progress, tell))
                facts |= {"is_complete": True} | {name: getattr(progress, name) for name in _TOLD}
                _publish(output, facts)
            progress = Progress(**{name: facts[name] for name in _TOLD})
        finally:
            lock.close()
    except OSError as error:
        raise PlanError(
            f"The plan {printable(output)} cannot be written ({error.strerror}). What is published stays whole. Free "
            "space or give permission, and run the same command again: it goes on where it was."
        ) from error
    return Made(plan_of(output, facts), progress, was_there)


def _list(sources: Sequence[Source], writer: PartWriter) -> None:
    first, after = writer.progress.root, writer.progress.after
    pool = ThreadPoolExecutor(THREADS, thread_name_prefix="list")
    try:
        for number, source in enumerate(sources[first:], first):
            for chunk in source.chunks(pool, after if number == first else ""):
                writer.add(number, chunk)
        writer.publish()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _facts(output: Path, roots: Sequence[str], rows_per_part: int) -> dict[str, Any]:
    """What plan.json says; it is made if there is none, and refused if it is about something else."""
    facts = read_facts(output)
    if facts is None:
        made = {
            "version": VERSION, "id": uuid.uuid4().hex, "roots": list(roots), "rows_per_part": rows_per_part,
            "is_complete": False,
        }  # fmt: skip
        _publish(output, made)
        return made
    if facts["roots"] != list(roots):
        held = ", ".join(map(printable, facts["roots"]))
        raise PlanError(f"{printable(output)} is a plan of {held}. Name the same to go on, or another --output.")
    if facts["rows_per_part"] != rows_per_part:
        raise PlanError(
            f"{printable(output)} has {facts['rows_per_part']} rows in a part. Pass --rows-per-part "
            f"{facts['rows_per_part']} to go on, or another --output."
        )
    return facts


def _publish(output: Path, facts: dict[str, Any]) -> None:
    publish_bytes(output / PLAN, json.dumps(facts, indent=1).encode())


def _check_apart(roots: Sequence[str]) -> None:
    """Refuse roots that hold each other, because their photos would be listed twice."""
    for upper, lower in pairwise(sorted(root.rstrip("/") + "/" for root in roots)):
        if lower.startswith(upper):
            raise RootError(
                f"{printable(lower)} lies in {printable(upper)}, so its photos would be listed twice. Name one of them."
            )
