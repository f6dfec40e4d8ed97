"""A plan as its readers see it: a folder with plan.json and the parts that are published so far."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from bulk.errors import PlanError
from bulk.manifest.schema import PROGRESS, SCHEMA, part_names
from common.text import printable

VERSION = 1
PLAN, PARTS = "plan.json", "parts"


@dataclass(frozen=True)
class Plan:
    """A plan that exists; its parts never change once they are there.

    Attributes:
        folder: where it lies.
        identity: 32 hex digits of this plan, by which results know it.
        roots: what was listed, as it was named.
        rows_per_part: rows of every part but the last.
        is_complete: whether the listing has come to its end. Until then parts are added.
    """

    folder: Path
    identity: str
    roots: tuple[str, ...]
    rows_per_part: int
    is_complete: bool

    def parts(self) -> list[str]:
        """Return the names of the parts that are published, in their order."""
        return part_names(self.folder / PARTS)

    def read(self, name: str) -> pa.Table:
        """Return the rows of a part.

        Raises:
            PlanError: it cannot be read.
        """
        path = self.folder / PARTS / name
        try:
            return pq.ParquetFile(path).read().cast(SCHEMA)
        except (OSError, ValueError, pa.ArrowException) as error:
            raise PlanError(
                f"{printable(path)} cannot be read ({error}). If it is damaged, remove the plan and make it again."
            ) from error

    def count(self) -> int:
        """Return the number of rows in the parts that are published; only the last part is opened."""
        names = self.parts()
        if not names:
            return 0
        return int(json.loads(pq.read_schema(self.folder / PARTS / names[-1]).metadata[PROGRESS])["rows"])


def open_plan(folder: Path) -> Plan:
    """Return the plan in a folder.

    Raises:
        PlanError: there is none, or it is damaged or of a newer version.
    """
    facts = read_facts(folder)
    if facts is None:
        raise PlanError(f"{printable(folder)} holds no plan. Make one: phototriage bulk plan PHOTOS --output {folder}")
    return plan_of(folder, facts)


def read_facts(folder: Path) -> dict[str, Any] | None:
    """Return what plan.json holds; None if there is no such file.

    Raises:
        PlanError: it is damaged or of a newer version.
    """
    try:
        facts = json.loads((folder / PLAN).read_text(encoding="utf-8"))
        version = facts["version"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PlanError(f"{printable(folder / PLAN)} cannot be read ({error}). Make the plan again.") from error
    if version != VERSION:
        raise PlanError(f"{printable(folder)} is a plan of version {version}, and this phototriage reads {VERSION}.")
    return dict(facts)


def plan_of(folder: Path, facts: dict[str, Any]) -> Plan:
    """Return the plan that the facts of plan.json describe."""
    return Plan(folder, facts["id"], tuple(facts["roots"]), facts["rows_per_part"], facts["is_complete"])
