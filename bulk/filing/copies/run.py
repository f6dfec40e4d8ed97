"""Copies part after part, and publishes a part of the manifest for each: what it says to be copied is done."""

import json
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from bulk.filing.copies.one import Copied, copy_row
from bulk.filing.copies.place import CopyPlace, copy_place
from bulk.filing.copies.template import Template
from bulk.filing.errors import FilingError
from bulk.filing.judged import Judged, judged_by, part_names, rows_of
from bulk.results.place import Place, place_of
from bulk.results.store import ResultStore
from common.text import printable
from daemon.photo import Outcome

MANIFEST, ABOUT = "_copied", "_copied/copied.json"
"""Folder beside the copies, whose name no class may have, and the file in it that tells what was copied."""
VERSION = 1
THREADS = 16
"""Copies under way at once: a storage answers each after milliseconds, whatever the cores do."""
SETTLED = (Copied.COPIED, Copied.STAYS)
"""Outcomes that a next call leaves as they are. It tries the others again: a disk may not have been mounted."""
SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("path", "target", "sha256", "label", "folder", "outcome", "reason")),
        ("at", pa.timestamp("us", tz="UTC")),
    ]
)
Tell = Callable[[str, "Counter[str]", list[dict[str, Any]]], None]


def copy_results(store: ResultStore, template: Template, tell: Tell) -> Counter[str]:
    """Copy what results say; returns how many photos had which outcome, and how many were copied before.

    Args:
        store: the results.
        template: where copies go.
        tell: called for each part with its name, its counts, and the lines of the photos that stay against the wish.

    Raises:
        BulkError: the results or the storage cannot be used, or copying was interrupted; the text says what to do.
    """
    by, manifest, counts = judged_by(store), place_of(template.base), Counter[str]()
    _begin(manifest, store, template)
    published, target = manifest.names(MANIFEST), copy_place(template.base)
    with tempfile.TemporaryDirectory(prefix="phototriage-") as folder:
        for name in part_names(store):
            before = _lines(manifest, name) if name in published else {}
            done = {path: line for path, line in before.items() if line["outcome"] in SETTLED}
            counts["before"] += len(done)
            if done and len(done) == len(before):
                continue
            rows = list(rows_of(store, name, by))
            copied = _copied([row for row in rows if row.path not in done], template, target, Path(folder))
            lines = {**done, **{line["path"]: line for line in copied}}
            buffer = BytesIO()
            pq.write_table(pa.Table.from_pylist([lines[row.path] for row in rows], SCHEMA), buffer, compression="zstd")
            manifest.write(f"{MANIFEST}/{name}", buffer.getvalue())
            some = Counter(line["outcome"] for line in copied)
            counts += some
            tell(name, some, [line for line in copied if line["outcome"] not in SETTLED])
    return counts


def _lines(manifest: Place, name: str) -> dict[str, dict[str, Any]]:
    """Return the published rows of a part by their paths; none if it is damaged, so that it is made again."""
    try:
        table = pq.read_table(BytesIO(manifest.read(f"{MANIFEST}/{name}") or b""))
    except pa.ArrowInvalid:
        return {}
    return {line["path"]: line for line in table.to_pylist()}


def plan_of_copies(store: ResultStore, template: Template) -> Iterable[tuple[str, str]]:
    """Yield path and target of each photo that would be copied, if no name is taken; nothing is written."""
    by, target = judged_by(store), copy_place(template.base)
    for name in part_names(store):
        for row in rows_of(store, name, by):
            if row.judgement.outcome is not Outcome.LEFT:
                yield row.path, target.address(template.place_of(row))


def _copied(rows: list[Judged], template: Template, target: CopyPlace, folder: Path) -> list[dict[str, Any]]:
    """Copy the rows of a part; those that ask for one name follow each other, so that each gets a number of its own."""
    groups: dict[str, list[int]] = {}
    for number, row in enumerate(rows):
        place = "" if row.judgement.outcome is Outcome.LEFT else template.place_of(row)
        groups.setdefault(place or f"/{number}", []).append(number)
    lines: dict[int, dict[str, Any]] = {}

    def _copy(group: tuple[str, list[int]]) -> None:
        place, first = group[0], 0
        for number in group[1]:
            line, given = copy_row(rows[number], place, target, first, folder)
            lines[number] = line
            first = given + 1 if line["outcome"] == Copied.COPIED else first

    pool = ThreadPoolExecutor(max(THREADS, os.cpu_count() or 1), "copy")
    try:
        for _ in pool.map(_copy, groups.items()):
            pass
    finally:
        pool.shutdown(cancel_futures=True)
    return [lines[number] for number in range(len(rows))]


def _begin(manifest: Place, store: ResultStore, template: Template) -> None:
    """Say what is copied before the first copy; refuse to mix it with copies of other results, or by another text.

    Raises:
        FilingError: other copies are there.
    """
    about = store.about() or {}
    wanted = {"version": VERSION, "plan": about.get("plan"), "model": about.get("model"), "to": template.text}
    data = manifest.read(ABOUT)
    if data is None:
        manifest.write(ABOUT, json.dumps(wanted, indent=1).encode())
    elif json.loads(data) != wanted:
        raise FilingError(
            f"{printable(template.base)} holds copies of other results, or by another --copy-to. Name another "
            f"place. If they are to lie together, remove {printable(template.base)}/{MANIFEST} first."
        )
