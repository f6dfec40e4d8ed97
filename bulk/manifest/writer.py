"""Publishes the parts of a plan one after the other, each with where the listing goes on after it.

A part is whole or not there, and its own metadata say how far the listing had come. So the parts alone say where a
killed listing goes on, and nothing else has to be kept in step with them.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from bulk.errors import PlanError
from bulk.manifest.chunk import Chunk
from bulk.manifest.parts import PARTS
from bulk.manifest.schema import PROGRESS, SCHEMA, part_name, part_names
from common.publish import publish_bytes
from common.text import printable

_EXAMPLES = 3


@dataclass
class Progress:
    """How far a listing has come.

    Attributes:
        root: number of the root.
        after: where in the root it goes on, as a chunk says; empty at its beginning.
        parts: that are published.
        rows: in them.
        unread: folders and files that could not be read.
        examples: sentences about the first of them.
    """

    root: int = 0
    after: str = ""
    parts: int = 0
    rows: int = 0
    unread: int = 0
    examples: list[str] = field(default_factory=list)


Tell = Callable[[Progress], None]


def progress_of(folder: Path) -> Progress:
    """Return how far the listing of a plan has come, by its last part, and remove what a killed process left.

    Raises:
        PlanError: the last part cannot be read.
    """
    for left in (folder / PARTS).glob(".*.part"):
        left.unlink(missing_ok=True)
    names = part_names(folder / PARTS)
    if not names:
        return Progress()
    last = folder / PARTS / names[-1]
    try:
        metadata: dict[bytes, bytes] = pq.read_schema(last).metadata
        return Progress(**json.loads(metadata[PROGRESS]))
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise PlanError(
            f"{printable(last)} cannot be read ({error}), so the listing cannot go on. Remove this file, and run the "
            "same command again."
        ) from error


class PartWriter:
    """Gathers rows, and publishes each part as soon as it is full.

    Args:
        folder: of the plan.
        rows_per_part: rows of every part but the last.
        progress: where to begin; it follows what is published.
        tell: called after each part.
    """

    def __init__(self, folder: Path, rows_per_part: int, progress: Progress, tell: Tell) -> None:
        self.progress = progress
        self._parts = folder / PARTS
        self._rows_per_part = rows_per_part
        self._tell = tell
        self._held: list[pa.Table] = []
        self._count = 0

    def add(self, root: int, chunk: Chunk) -> None:
        """Take rows of a root.

        Raises:
            OSError: a part cannot be written.
        """
        self._note(chunk.unread)
        begin, rows = 0, chunk.table.num_rows
        while begin < rows:
            taken = min(rows - begin, self._rows_per_part - self._count)
            self._held.append(chunk.table.slice(begin, taken))
            self._count, begin = self._count + taken, begin + taken
            self.progress.root, self.progress.after = root, chunk.after(begin - 1)
            if self._count == self._rows_per_part:
                self.publish()

    def _note(self, unread: tuple[str, ...]) -> None:
        self.progress.unread += len(unread)
        self.progress.examples = [*self.progress.examples, *unread][:_EXAMPLES]

    def publish(self) -> None:
        """Publish the rows that are held as one part, if there are any.

        Raises:
            OSError: it cannot be written.
        """
        if not self._held:
            return
        name = part_name(self.progress.parts)
        self.progress.parts += 1
        self.progress.rows += self._count
        publish_bytes(self._parts / name, _encoded(pa.concat_tables(self._held), asdict(self.progress)))
        self._held, self._count = [], 0
        self._tell(self.progress)


def _encoded(table: pa.Table, progress: dict[str, Any]) -> bytes:
    buffer = BytesIO()
    held = table.cast(SCHEMA).replace_schema_metadata({PROGRESS: json.dumps(progress)})
    pq.write_table(held, buffer, compression="zstd")
    return buffer.getvalue()
