"""Rows of results as what the daemon's stages give: a judgement, and the file that it is about.

Results may come from another machine, so what becomes a folder is checked as the labels of a model are.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from bulk.filing.errors import FilingError
from bulk.results.schema import VERDICTS
from bulk.results.store import ResultStore
from common.errors import ContractError
from common.text import printable
from contract.geometry import Geometry
from contract.labels import OTHER, fault_of
from daemon.photo import FAILED_FOLDER, REVIEW_FOLDER, Embedding, Judgement, Outcome
from daemon.review import Likeness, ReviewReason

COLUMNS = (
    *("path", "relpath", "size", "sha256", "label", "top", "probability", "familiarity", "nearest", "embedding"),
    *("verdict", "folder", "reason", "review_reason", "model", "provider", "decode_ms", "infer_ms"),
)
"""What filing reads of a part."""
SOME = 1_000
"""Rows that are objects at one time: a part may have 100,000."""
_FOLDERS = {Outcome.REVIEW: REVIEW_FOLDER, Outcome.FAILED: FAILED_FOLDER, Outcome.LEFT: ""}


@dataclass(frozen=True, slots=True)
class JudgedBy:
    """What `results.json` says about the model and the rules; what an earlier version did not write is empty.

    Attributes:
        labels: of the model.
        thresholds: probability of each label below which a photo went to review.
        familiarity_limit: familiarity below which a photo went to review.
        embeddings: id of the embeddings; empty if the model gives none.
        geometry: of the model; None if that is not known.
        rules: the settings of review, as the user gave them.
    """

    labels: tuple[str, ...] = ()
    thresholds: Mapping[str, float] = field(default_factory=dict)
    familiarity_limit: float | None = None
    embeddings: str = ""
    geometry: Geometry | None = None
    rules: Mapping[str, str | float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Judged:
    """One row.

    Attributes:
        path: absolute, or a URL.
        relpath: its folder below the root that was listed.
        size: of the file when it was listed, in bytes; None if that was not known.
        sha256: of the bytes that were judged; empty if they could not be read.
        judgement: what the model and the rules made of it.
        times_ms: how long decoding and inference took.
    """

    path: str
    relpath: str
    size: int | None
    sha256: str
    judgement: Judgement
    times_ms: Mapping[str, float]


def judged_by(store: ResultStore) -> JudgedBy:
    """Return what made the results.

    Raises:
        FilingError: there are no results there, or what they say about themselves is damaged.
    """
    said = store.about()
    if said is None:
        raise FilingError(f"{store} holds no results. Make them: phototriage bulk run PLAN --output {store}")
    try:
        geometry = None if said.get("geometry") is None else Geometry(**said["geometry"])
        return JudgedBy(
            tuple(said.get("labels", ())), said.get("thresholds", {}), said.get("familiarity_limit"),
            said.get("embeddings") or "", geometry, said.get("rules", {}),
        )  # fmt: skip
    except (TypeError, AttributeError, ContractError) as error:
        raise FilingError(f"{store}/results.json is damaged ({error}). Judge the photos again.") from error


def part_names(store: ResultStore) -> list[str]:
    """Return the parts that are there, in the order of the plan."""
    return sorted(store.done(), key=lambda name: (len(name), name))


def rows_of(store: ResultStore, name: str, by: JudgedBy) -> Iterator[Judged]:
    """Yield the rows of a part, in its order.

    Args:
        store: the results.
        name: of the part.
        by: what made them.

    Raises:
        BulkError: the part cannot be read, or holds what no run writes.
    """
    table: pa.Table = store.read(name)
    if missing := [column for column in COLUMNS if column not in table.column_names]:
        raise FilingError(f"{store}: {name} has no column {missing[0]}. Remove the part, and judge it again.")
    rows = (row for some in table.select(COLUMNS).to_batches(SOME) for row in some.to_pylist())
    for number, row in enumerate(rows):
        try:
            yield _judged(row, by)
        except ValueError as error:
            raise FilingError(
                f"{store}: row {number} of {name} cannot be filed: {error}. Remove the part, and judge it again."
            ) from error


def _judged(row: Mapping[str, Any], by: JudgedBy) -> Judged:
    times_ms = {step: row[f"{step}_ms"] for step in ("decode", "infer") if row[f"{step}_ms"] is not None}
    sha256, judgement = row["sha256"] or "", _judgement(row, by)
    return Judged(row["path"], row["relpath"] or "", row["size"], sha256, judgement, times_ms)


def _judgement(row: Mapping[str, Any], by: JudgedBy) -> Judgement:
    if row["verdict"] not in VERDICTS:
        raise ValueError(f"{row['verdict']!r} is no verdict")
    outcome, label = Outcome(row["verdict"]), row["label"] or ""
    folder = label if outcome is Outcome.FILED else _FOLDERS[outcome]
    if label and label != OTHER and (fault := fault_of(label)):
        raise ValueError(f"the label {printable(label)!r} cannot be the name of a folder, because {fault}")
    if folder != (row["folder"] or "") or (outcome is Outcome.FILED and folder in ("", OTHER)):
        raise ValueError(f"{outcome.value} as {printable(label)!r} does not go to {printable(row['folder'] or '')!r}")
    if outcome is not Outcome.LEFT and len(row["sha256"] or "") != 64:
        raise ValueError(f"{outcome.value} without the hash of its bytes")
    familiarity, values = row["familiarity"], row["embedding"]
    return Judgement(
        outcome, folder, row["reason"] or "", label, row["probability"] or 0.0, by.thresholds.get(label, 0.0),
        None if familiarity is None else Likeness(familiarity, row["nearest"] or "", by.familiarity_limit),
        ReviewReason(row["review_reason"]) if row["review_reason"] else None,
        top={one["label"]: round(one["probability"], 6) for one in row["top"] or ()},
        model=row["model"] or "", provider=row["provider"] or "",
        embedding=Embedding(by.embeddings, values) if values and by.embeddings else None,
    )  # fmt: skip
