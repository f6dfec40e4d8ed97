"""RESULTS: parts under the names of the plan's parts, and `results.json`, which says what made them.

A part that is there is done, whatever engine made it. So going on is a listing, and what is done twice replaces itself.
"""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from bulk.errors import BulkError
from bulk.results.place import place_of
from bulk.results.schema import RESULTS
from common.text import printable

ABOUT, PARTS = "results.json", "parts"
VERSION = 1
SUFFIX = ".parquet"
_DIFFERS = {
    "plan": "another plan",
    "model": "another model",
    "rules": "other rules",
}


class ResultStore:
    """The results of one run.

    Args:
        where: a folder, which need not exist, or a URL.
    """

    def __init__(self, where: str | Path) -> None:
        self.place = place_of(where)

    def __str__(self) -> str:
        return str(self.place)

    def done(self) -> set[str]:
        """Return the names of the parts that are there."""
        return {name for name in self.place.names(PARTS) if name.endswith(SUFFIX)}

    def publish(self, name: str, table: pa.Table) -> None:
        """Put a part there in one step.

        Args:
            name: of the plan's part.
            table: with the columns of `RESULTS`.

        Raises:
            BulkError: it cannot be written; nothing of it stays.
        """
        buffer = io.BytesIO()
        pq.write_table(table.cast(RESULTS), buffer, compression="zstd")
        self.place.write(f"{PARTS}/{name}", buffer.getvalue())

    def read(self, name: str) -> pa.Table:
        """Return a part.

        Raises:
            BulkError: it is not there, or damaged.
        """
        data = self.place.read(f"{PARTS}/{name}")
        try:
            return pq.read_table(io.BytesIO(data or b""))
        except pa.ArrowInvalid as error:
            what = "there is no part" if data is None else "the part is damaged:"
            raise BulkError(
                f"{self}: {what} {printable(name)}. Remove it if it is there, and give the same `bulk run` again."
            ) from error

    def about(self) -> dict[str, Any] | None:
        """Return what `results.json` says; None if nothing was judged yet.

        Raises:
            BulkError: it is of a newer version, or damaged.
        """
        data = self.place.read(ABOUT)
        if data is None:
            return None
        try:
            said = json.loads(data)
            if said["version"] == VERSION:
                return dict(said)
        except (ValueError, TypeError, KeyError):
            raise BulkError(f"{self}/{ABOUT} is damaged. Name another folder for the results.") from None
        raise BulkError(f"{self}/{ABOUT} was written by a newer phototriage. Use that one.")

    def check(self, wanted: Mapping[str, Any]) -> None:
        """Refuse to mix: what is there must be of the same plan, model and rules.

        Args:
            wanted: `plan`, `model` and `rules` of this run.

        Raises:
            BulkError: which of them differs.
        """
        said = self.about()
        for key, other in _DIFFERS.items():
            if said is not None and said.get(key) != wanted[key]:
                raise BulkError(
                    f"{self} holds results of {other} ({_short(said.get(key))}, now {_short(wanted[key])}). Name"
                    " another folder for the results of this run, or go on with what made those."
                )

    def begin(self, wanted: Mapping[str, Any], **more: Any) -> None:
        """Say what makes the parts, before the first one; or check that it is the same.

        Args:
            wanted: as in `check`.
            more: for readers alone: where the model ran first, and what filing asks about it (`PartJudge.about`).
        """
        self.check(wanted)
        if self.about() is None:
            said = {"version": VERSION, **wanted, **more}
            self.place.write(ABOUT, json.dumps(said, indent=1).encode())


def _short(value: object) -> str:
    return value[:12] if isinstance(value, str) else json.dumps(value)
