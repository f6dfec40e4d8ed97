"""How long does `phototriage bulk plan` take, does its memory grow, and how soon can a run begin?

Empty files with names of photos are made, in folders of a thousand, and all in one folder. More than a disk can be
asked to hold are named by a table, and by a tree that is made up, where all but the disk is measured. `goes on` is the
time of the same command when all but the last part had been published before a kill.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.common import tell, workplace
from benchmarks.told import Row, Told
from benchmarks.watched import Watched
from bulk.manifest.parts import PLAN
from bulk.manifest.schema import part_name, part_names

EACH = 1_000
ROWS = 2_000
EVERY_S = 0.01
MEANING = "Memory of the most photos over that of a tenth of them, in folders: 1 is flat."


def add_options(made: argparse.ArgumentParser) -> None:
    """Add the options of this part."""
    made.add_argument("--files", type=int, default=1_000_000, help="files that are made")
    made.add_argument("--named", type=int, default=10_000_000, help="photos that are named and not made")


def run(arguments: argparse.Namespace) -> Told:
    """Measure."""
    files, named = (20_000, 100_000) if arguments.short else (arguments.files, arguments.named)
    rows: list[Row] = []
    with workplace(arguments.work, "bulk-plan") as place:
        for count, each, what in (
            (files // 10, EACH, "folders"),
            (files, EACH, "folders"),
            (files, files, "one folder"),
        ):
            tell(f"{count} files in {what}")
            tree = place / f"tree-{len(rows)}"
            _fill(tree, count, each)
            rows.append(_row(place / f"{len(rows)}", what, count, _command(tree)))
        tell(f"a table of {named} photos")
        rows.append(_row(place / "table", "a table", named, _command(_table(place / "photos.parquet", named))))
        tell(f"{named} photos that are made up")
        made_up = [sys.executable, "-m", "benchmarks.bulk.made_up", str(named)]
        rows.append(_row(place / "made-up", "made up", named, made_up))
    memory = {row["photos"]: row["peak MB"] for row in rows if row["in"] == "folders"}
    figure = {"memory, ratio": round(memory[files] / memory[files // 10], 2), "s": rows[1]["s"]}
    return Told(rows, figure, MEANING)


def _command(root: Path) -> list[str]:
    return [sys.executable, "-m", "phototriage", "bulk", "plan", str(root), "--output"]


def _fill(tree: Path, count: int, each: int) -> None:
    for first in range(0, count, each):
        folder = tree / f"{first // each:05d}"
        folder.mkdir(parents=True)
        opened = os.open(folder, os.O_RDONLY)
        for number in range(each):
            os.mknod(f"IMG_{number:07d}.jpg", dir_fd=opened)
        os.close(opened)


def _table(path: Path, count: int) -> Path:
    with pq.ParquetWriter(path, pa.schema([("path", pa.string())])) as writer:
        for first in range(0, count, 100_000):
            numbers = range(first, min(first + 100_000, count))
            writer.write_table(pa.table({"path": [f"/photos/{number // EACH}/{number}.jpg" for number in numbers]}))
    return path


def _row(place: Path, what: str, count: int, command: Sequence[str]) -> Row:
    plan = place / "plan"
    process = Watched([*command, str(plan)], place / "process")
    first_s = None
    while not process.ended():
        if first_s is None and (plan / "parts" / part_name(0)).exists():
            first_s = time.monotonic() - process.started_s
        time.sleep(EVERY_S)
    took_s = time.monotonic() - process.started_s
    parts = part_names(plan / "parts")
    listed = (len(parts) - 1) * ROWS + pq.ParquetFile(plan / "parts" / parts[-1]).metadata.num_rows
    if listed != count:
        raise SystemExit(f"of {count} photos, {listed} are in the plan")
    return {
        "in": what,
        "photos": count,
        "s": round(took_s, 1),
        "photos/s": round(count / took_s),
        "cpu s": round(process.cpu_s, 1),
        "peak MB": round(process.peak_mb),
        "first part, s": None if first_s is None else round(first_s, 2),
        "goes on, s": _goes_on_s(place, plan, command) if (plan / PLAN).exists() else None,
    }


def _goes_on_s(place: Path, plan: Path, command: Sequence[str]) -> float:
    facts = json.loads((plan / PLAN).read_bytes())
    (plan / PLAN).write_text(json.dumps(facts | {"is_complete": False}))
    (plan / "parts" / part_names(plan / "parts")[-1]).unlink()
    process = Watched([*command, str(plan)], place / "again")
    while not process.ended():
        time.sleep(EVERY_S)
    return round(time.monotonic() - process.started_s, 2)
