"""Sums over all results, part by part: the memory does not grow with the photos."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from bulk.results.schema import FAILED, LEFT, MS
from daemon.review import ReviewReason

SHOWN = 48
"""Photos that the page shows for each reason for review."""
Interval = tuple[float, float]


@dataclass(slots=True)
class Host:
    """What one machine did.

    Attributes:
        photos: judged there.
        providers: where the model ran.
        took_ms: sums by step.
        intervals: from the first to the last photo of each part, in seconds since 1970.
    """

    photos: int = 0
    providers: set[str] = field(default_factory=set)
    took_ms: dict[str, float] = field(default_factory=lambda: dict.fromkeys(MS, 0.0))
    intervals: list[Interval] = field(default_factory=list)


@dataclass(slots=True)
class Tally:
    """All sums.

    Attributes:
        parts: read.
        photos: in them.
        verdicts: photos by verdict.
        classes: photos by the most probable class, then by verdict.
        reviews: photos in review by reason.
        faults: photos that were not judged, by verdict and the first words of the error.
        changed: photos that were changed after they were listed.
        drawn: for each reason for review some photos, drawn at random: those of the smallest ids, which are hashes.
        hosts: by name.
    """

    parts: int = 0
    photos: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    classes: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    reviews: Counter[str] = field(default_factory=Counter)
    faults: Counter[tuple[str, str]] = field(default_factory=Counter)
    changed: int = 0
    drawn: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {one.value: [] for one in ReviewReason})
    hosts: dict[str, Host] = field(default_factory=lambda: defaultdict(Host))

    def add(self, part: pa.Table) -> None:
        """Add one part of the results."""
        self.parts += 1
        self.photos += part.num_rows
        for label, verdict, reason, count in _groups(part, "label", "verdict", "review_reason"):
            self.verdicts[verdict] += count
            if label:
                self.classes[label][verdict] += count
            if reason is not None:
                self.reviews[reason] += count
        for verdict, error, count in _groups(part, "verdict", "error"):
            if verdict in (FAILED, LEFT):
                self.faults[verdict, (error or "").partition(":")[0]] += count
            elif error is not None:
                self.changed += count
        for reason, drawn in self.drawn.items():
            some = part.filter(pc.equal(part["review_reason"], reason)).sort_by("id").slice(0, SHOWN)
            some = some.select(["id", "path", "label", "probability", "familiarity", "nearest"])
            self.drawn[reason] = sorted((*drawn, *some.to_pylist()), key=lambda row: str(row["id"]))[:SHOWN]
        for host in part["host"].unique().to_pylist():
            self._add_host(host, part.filter(pc.equal(part["host"], host)))

    def _add_host(self, name: str, rows: pa.Table) -> None:
        host = self.hosts[name]
        host.photos += rows.num_rows
        host.providers.update(rows["provider"].unique().to_pylist())
        for step in MS:
            host.took_ms[step] += pc.sum(rows[f"{step}_ms"]).as_py() or 0.0
        ends = pc.min_max(rows["judged_at"]).as_py()
        host.intervals.append((ends["min"].timestamp(), ends["max"].timestamp()))


def active_s(intervals: Iterable[Interval]) -> float:
    """Return how long at least one of these intervals lasted, in seconds."""
    total_s, until_s = 0.0, float("-inf")
    for begin_s, end_s in sorted(intervals):
        total_s += max(0.0, end_s - max(begin_s, until_s))
        until_s = max(until_s, end_s)
    return total_s


def _groups(part: pa.Table, *columns: str) -> Iterable[Any]:
    """Yield the values of these columns that occur together, with the number of rows."""
    grouped = part.group_by(list(columns)).aggregate([([], "count_all")])
    return zip(*(grouped[name].to_pylist() for name in (*columns, "count_all")), strict=True)
