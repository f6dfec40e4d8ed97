"""An inbox, an output, and results about the photos of the inbox that a test writes by hand."""

import json
import os
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from click.testing import CliRunner, Result

import phototriage
from bulk.results.schema import RESULTS
from bulk.results.store import ResultStore
from daemon.ledger.state_folder import LEDGER, state_folder
from tests.colour_model import LABELS
from tests.daemon.support import digest, roots, unique, write

MODEL = "m" * 64
ABOUT = {"plan": "p" * 32, "model": MODEL, "rules": {"review_below": "off", "unfamiliar": "review"}}


class JudgedPhotos:
    """Photos below an inbox, and what a run would say of them.

    Args:
        folder: holds inbox, output and results.
        printed: returns what was written to standard output since the last call.
    """

    def __init__(self, folder: Path, printed: Callable[[], str]) -> None:
        self._printed = printed
        self.inbox, self.output = roots(folder)
        self.results = folder / "results"
        self.rows: list[dict[str, Any]] = []
        self.about: dict[str, Any] = {"provider": "cpu", "labels": LABELS}

    def photo(self, name: str, label: str = "red", number: int = 0, **changes: Any) -> Path:
        """Put a photo into the inbox, and judge it."""
        path = self.inbox / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, unique(label, number or len(self.rows) + 1), mtime_s=1e9)
        return self.judge(path, label, **changes)

    def judge(self, path: Path, label: str = "red", **changes: Any) -> Path:
        """Judge a file as it is."""
        data = path.read_bytes()
        self.rows.append(row(path, data, label) | changes)
        return path

    def publish(self, per_part: int = 200) -> ResultStore:
        """Write what was judged as results."""
        store = ResultStore(self.results)
        store.begin(ABOUT, **self.about)
        for part, start in enumerate(range(0, len(self.rows), per_part)):
            some = self.rows[start : start + per_part]
            store.publish(f"part-{part:06d}.parquet", pa.Table.from_pylist(some, RESULTS))
        return store

    def file(self, *words: str | Path, code: int = 0) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Publish, and run `bulk file`; returns the lines about photos, and the last one."""
        self.publish()
        self._printed()
        done = call("bulk", "file", self.results, "--inbox", self.inbox, "--output", self.output, "--json", *words)
        assert done.exit_code == code, done.output
        lines = [json.loads(line) for line in self._printed().splitlines()]
        return [line for line in lines if line["event"] == "photo"], lines[-1]

    def tree(self) -> list[str]:
        """Return what lies in the output, without markers."""
        return files_below(self.output)

    def ledger_rows(self, columns: str) -> list[tuple[Any, ...]]:
        """Return columns of the ledger's rows, in their order."""
        return ledger_rows(state_folder(self.inbox) / LEDGER, columns)


def ledger_rows(ledger: Path, columns: str) -> list[tuple[Any, ...]]:
    """Return columns of a ledger's rows, in their order."""
    with closing(sqlite3.connect(ledger)) as book:
        return book.execute(f"SELECT {columns} FROM photos ORDER BY id").fetchall()


def row(path: Path | str, data: bytes, label: str) -> dict[str, Any]:
    """Return the row of a photo that a model filed under a label."""
    return {
        "id": digest(os.fsencode(path))[:32], "path": str(path), "relpath": "", "size": len(data), "stamp": "1",
        "sha256": digest(data), "label": label, "top": [{"label": label, "probability": 0.9}], "probability": 0.9,
        "verdict": "filed", "folder": label, "reason": "", "model": MODEL, "provider": "cpu", "host": "h",
        "judged_at": datetime(2026, 1, 1, tzinfo=UTC), "read_ms": 1.0, "decode_ms": 2.0, "infer_ms": 3.0,
    }  # fmt: skip


def files_below(root: Path) -> list[str]:
    """Return the files below a folder, without hidden ones."""
    found: Iterable[Path] = (path.relative_to(root) for path in root.rglob("*") if path.is_file())
    return sorted(str(path) for path in found if not any(part.startswith(".") for part in path.parts))


def call(*words: str | Path) -> Result:
    """Run `phototriage WORDS` in this process."""
    return CliRunner().invoke(phototriage.cli, [os.fsdecode(word) for word in words])
