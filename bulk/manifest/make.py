"""Makes a plan: lists the roots and publishes parts."""

import json
import os
import uuid
from collections.abc import Iterator, Sequence
from io import BytesIO
from itertools import islice
from pathlib import Path

import pyarrow.parquet as pq

from bulk.errors import PlanError
from bulk.manifest.parts import PARTS, PLAN, VERSION, Plan, plan_of, read_facts
from bulk.manifest.schema import part_name, table
from bulk.storage import text_of
from common.publish import publish_bytes
from common.text import printable
from contract.formats import has_photo_name

Row = tuple[str, str, int, str]


def make_plan(roots: Sequence[str], output: Path, rows_per_part: int) -> Plan:
    """List the photos below folders into a new plan.

    Raises:
        PlanError: there is a plan already, or the folder cannot be written.
    """
    if read_facts(output) is not None:
        raise PlanError(f"{printable(output)} holds a plan already. Name another folder, or remove it.")
    facts = {
        "version": VERSION, "id": uuid.uuid4().hex, "roots": list(roots), "rows_per_part": rows_per_part,
        "is_complete": False,
    }  # fmt: skip
    try:
        (output / PARTS).mkdir(parents=True, exist_ok=True)
        publish_bytes(output / PLAN, json.dumps(facts).encode())
        rows, number, total = (row for root in roots for row in _rows(root)), 0, 0
        while held := list(islice(rows, rows_per_part)):
            paths, relpaths, sizes, stamps = zip(*held, strict=True)
            buffer = BytesIO()
            pq.write_table(table(paths, relpaths, sizes, stamps), buffer, compression="zstd")
            publish_bytes(output / PARTS / part_name(number), buffer.getvalue())
            number, total = number + 1, total + len(held)
        facts |= {"rows": total, "parts": number, "is_complete": True}
        publish_bytes(output / PLAN, json.dumps(facts).encode())
    except OSError as error:
        raise PlanError(f"{printable(output)} cannot be written ({error.strerror}).") from error
    return plan_of(output, facts)


def _rows(root: str) -> Iterator[Row]:
    base = os.path.abspath(root)  # noqa: PTH100 - links stay as they are named
    for folder, folders, names in os.walk(os.fsencode(base)):
        folders.sort()
        relpath = os.path.relpath(os.fsdecode(folder), base)
        for name in sorted(names):
            path = os.path.join(folder, name)  # noqa: PTH118 - bytes
            if has_photo_name(Path(os.fsdecode(name))):
                status = os.lstat(path)
                yield (
                    text_of(path),
                    "" if relpath == "." else printable(relpath),
                    status.st_size,
                    str(status.st_mtime_ns),
                )
