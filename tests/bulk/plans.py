"""Plans and photos for the tests of bulk."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from bulk.judge.part import PartJudge
from bulk.judge.policy import Policy
from bulk.manifest.schema import SCHEMA, part_name, photo_id
from contract.session import open_model
from tests.colour_model import FAMILIAR, colour_model
from tests.daemon.support import unique

COLOURS = ("red", "green", "blue")


def photos(folder: Path, count: int) -> list[Path]:
    """Write so many different photos."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number:04}.jpg" for number in range(count)]
    for number, path in enumerate(paths):
        path.write_bytes(unique(COLOURS[number % 3], number))
    return paths


def case(file: Path, **changes: Any) -> dict[str, Any]:
    """Return a row of a plan for a file as it is now, with changes; one that is not there has a size all the same."""
    status = file.stat() if os.path.exists(file) else None  # noqa: PTH110 - it takes a name that is too long
    size, stamp = (status.st_size, str(status.st_mtime_ns)) if status else (1, "1")
    row = {"path": str(file), "relpath": "", "size": size, "stamp": stamp, **changes}
    return {"id": photo_id(row["path"], row["size"], row["stamp"]), **row}


def manifest(cases: Sequence[Mapping[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(list(cases), SCHEMA)


def plan(folder: Path, paths: Sequence[Path], rows: int) -> Path:
    """Write a plan of these files, with so many rows a part."""
    (folder / "parts").mkdir(parents=True)
    for number, first in enumerate(range(0, len(paths), rows)):
        part = manifest([case(path) for path in paths[first : first + rows]])
        pq.write_table(part, folder / "parts" / part_name(number))
    facts = {"version": 1, "id": folder.name, "roots": [], "rows_per_part": rows, "is_complete": True}
    (folder / "plan.json").write_text(json.dumps(facts))
    return folder


def model(folder: Path) -> Path:
    """Write a model that tells familiarity, too; by its own thresholds no photo is red enough."""
    path = folder / "familiar.onnx"
    path.write_bytes(colour_model(familiarity=FAMILIAR, thresholds={"red": 1.0, "green": 0.5, "blue": 0.5}))
    return path


def judge_of(file: Path, **policy: Any) -> PartJudge:
    return PartJudge(file, open_model(file, "cpu").sha256, Policy(**policy), device="cpu")
