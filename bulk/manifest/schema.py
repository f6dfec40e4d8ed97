"""The columns of a manifest part, the names of parts, and the id of a photo."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa

SCHEMA = pa.schema([
    pa.field("id", pa.string(), nullable=False),
    pa.field("path", pa.string(), nullable=False),
    pa.field("relpath", pa.string(), nullable=False),
    pa.field("size", pa.int64()),
    pa.field("stamp", pa.string(), nullable=False),
])  # fmt: skip
"""`path` is absolute, or a URL (bulk/storage.py says how a name that is not UTF-8 is written); `relpath` is its folder
below the root, '' for the root itself; `stamp` is the time of its last change in ns, or its ETag. In a manifest that
was made elsewhere the size may be null, and the stamp empty."""

PROGRESS = b"phototriage"
"""Key in a part's metadata: how far the listing had come with its last row (bulk/manifest/writer.py)."""

_PART = re.compile(r"part-([0-9]{6,})\.parquet")


def part_name(number: int) -> str:
    """Return the file name of a part, of a plan and of results: `part-000007.parquet`."""
    return f"part-{number:06d}.parquet"


def part_names(folder: Path) -> list[str]:
    """Return the parts that lie in a folder, in their order."""
    found = ((match, entry) for entry in folder.iterdir() if (match := _PART.fullmatch(entry.name)))
    return [entry.name for _, entry in sorted(found, key=lambda pair: int(pair[0][1]))]


def photo_id(path: str, size: int | None, stamp: str) -> str:
    """Return 32 hex digits that name this content at this place: of the SHA-256 of path, size and stamp."""
    known = f"{path}\0{'' if size is None else size}\0{stamp}"
    return hashlib.sha256(known.encode()).hexdigest()[:32]


def table(
    paths: Sequence[str], relpaths: Sequence[str], sizes: Sequence[int | None], stamps: Iterable[str]
) -> pa.Table:
    """Return rows of a manifest."""
    held = list(stamps)
    ids = list(map(photo_id, paths, sizes, held))
    return pa.table([ids, list(paths), list(relpaths), list(sizes), held], schema=SCHEMA)
