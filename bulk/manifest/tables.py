"""Photos that a table names already: CSV, Parquet or JSON lines with a column `path`. They are taken as they are."""

import os
from collections.abc import Iterator
from concurrent.futures import Executor
from functools import partial
from typing import Any

import pyarrow as pa

from bulk.errors import RootError
from bulk.manifest.chunk import Chunk
from bulk.manifest.schema import table
from bulk.storage import file_system, is_url, local_path, text_of
from common.text import printable

SUFFIXES = (".csv", ".parquet", ".jsonl")
_COLUMNS = pa.schema([
    pa.field("path", pa.string()), pa.field("relpath", pa.string()), pa.field("size", pa.int64()),
    pa.field("stamp", pa.string()),
])  # fmt: skip
"""What is taken of a table; all but `path` may be missing."""
_BATCH_ROWS = 10_000


class TableSource:
    """A table of photos. No photo is looked at, so one that is missing becomes a failure when it is judged.

    Args:
        root: its path or URL. A relative path in it is below the folder that holds the table.
    """

    def __init__(self, root: str) -> None:
        self._root = root

    def chunks(self, pool: Executor, after: str) -> Iterator[Chunk]:
        """Yield the rows behind the first `after` ones, in the order of the table."""
        seen, skipped = 0, int(after or 0)
        for batch in self._batches():
            rest = batch.slice(max(0, skipped - seen))
            first, seen = seen + batch.num_rows - rest.num_rows, seen + batch.num_rows
            if rest.num_rows:
                yield Chunk(self._rows(rest, first), partial(_after, first))

    def _batches(self) -> Iterator[pa.RecordBatch]:
        try:
            with self._open() as file:
                yield from _read(file, self._root)
        except (OSError, ValueError, pa.ArrowException) as error:
            raise RootError(
                f"{printable(self._root)} cannot be read as a table ({error}). A table of photos is CSV, Parquet or "
                "JSON lines with a column path."
            ) from error

    def _open(self) -> Any:
        path = local_path(self._root)
        if path is not None:
            return path.open("rb")
        system, name = file_system(self._root)
        return system.open(name, "rb")

    def _rows(self, batch: pa.RecordBatch, first: int) -> pa.Table:
        named, relpaths, sizes, stamps = (_column(batch, field) for field in _COLUMNS)
        if not all(named):
            number = first + next(index for index, path in enumerate(named) if not path) + 1
            raise RootError(f"{printable(self._root)} names no photo in row {number:,}: its column path is missing.")
        paths = [path if path.startswith("/") or is_url(path) else self._beside(path) for path in named]
        below = ["" if path == whole else path.rpartition("/")[0] for path, whole in zip(named, paths, strict=True)]
        held = [found if given is None else given for found, given in zip(below, relpaths, strict=True)]
        return table(paths, held, sizes, [stamp or "" for stamp in stamps])

    def _beside(self, path: str) -> str:
        table = local_path(self._root)
        if table is None:
            return f"{self._root.rpartition('/')[0]}/{path}"
        return text_of(os.fsencode(table.parent / path))


def _after(first: int, row: int) -> str:
    return str(first + row + 1)


def _read(file: Any, name: str) -> Iterator[pa.RecordBatch]:
    """The batches of a table, by the end of its name."""
    if name.lower().endswith(".parquet"):
        import pyarrow.parquet as pq

        opened = pq.ParquetFile(file)
        columns = [column for column in _COLUMNS.names if column in opened.schema_arrow.names]
        return opened.iter_batches(_BATCH_ROWS, columns=columns) if columns else iter(())
    if name.lower().endswith(".jsonl"):
        from pyarrow import json

        options = json.ParseOptions(explicit_schema=_COLUMNS, unexpected_field_behavior="ignore")
        return iter(json.open_json(file, parse_options=options))
    from pyarrow import csv

    return iter(
        csv.open_csv(
            file,
            parse_options=csv.ParseOptions(newlines_in_values=True),
            convert_options=csv.ConvertOptions(
                column_types=_COLUMNS, include_columns=_COLUMNS.names, include_missing_columns=True
            ),
        )
    )


def _column(batch: pa.RecordBatch, field: pa.Field) -> list[Any]:
    if field.name not in batch.schema.names:
        return [None] * batch.num_rows
    return list(batch.column(field.name).cast(field.type).to_pylist())
