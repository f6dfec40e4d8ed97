"""The report of a check: plain values for scripts, and a summary for people."""

import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from common.text import printable
from contract.labels import SPLIT_NAMES
from training.check.kinds import KIND_TEXTS, Finding, Kind
from training.dataset.layout import Dataset

FORMAT = 1


@dataclass(frozen=True)
class Report:
    """The findings about a dataset by kind, worst first within each.

    Attributes:
        checked: the kinds that were checked; wrong labels only with a run.
    """

    dataset: Dataset
    findings: tuple[Finding, ...]
    checked: tuple[Kind, ...]

    def of(self, kind: Kind) -> list[Finding]:
        """The findings of one kind."""
        return [finding for finding in self.findings if finding.kind is kind]

    def counts(self) -> dict[Kind, int]:
        """The number of findings of each checked kind, in the order of kinds."""
        counts = Counter(finding.kind for finding in self.findings)
        return {kind: counts[kind] for kind in self.checked}

    def faults(self) -> int:
        """Number of findings that certainly harm a training or its metrics."""
        return sum(KIND_TEXTS[finding.kind].fault for finding in self.findings)

    def relative(self, number: int) -> str:
        """Path of a photo relative to the dataset, not made printable."""
        return os.path.relpath(self.dataset.photos[number].path, self.dataset.root)

    def names(self, finding: Finding) -> list[str]:
        """Printable paths of the photos or the folder of a finding."""
        names = [printable(self.relative(number)) for number in finding.photos]
        return [*names, printable(finding.facts["folder"])] if "folder" in finding.facts else names

    def sentence(self) -> str:
        """The result in one line."""
        total, faults = len(self.findings), self.faults()
        if not total:
            return f"No problems found in {len(self.dataset.photos):,} photos."
        hints = total - faults
        return (
            f"{total:,} finding{'s' * (total != 1)} in {len(self.dataset.photos):,} photos:"
            f" {faults:,} to fix before training, {hints:,} to check."
        )

    def classes(self) -> Iterator[tuple[str, dict[str, int]]]:
        """Each class with its number of files in each split and in total."""
        held = Counter((photo.label, photo.split) for photo in self.dataset.photos)
        splits = [name for name in ("", *SPLIT_NAMES) if self.dataset.of(name)]
        for index, label in enumerate(self.dataset.labels):
            counts = {name: held[index, name] for name in splits}
            yield label, {**{name: count for name, count in counts.items() if name}, "all": sum(counts.values())}

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "format": FORMAT,
            "dataset": str(self.dataset.root.absolute()),
            "layout": self.dataset.kind,
            "photos": len(self.dataset.photos),
            "other_files": self.dataset.ignored,
            "classes": [{"label": label, **counts} for label, counts in self.classes()],
            "counts": {kind.value: count for kind, count in self.counts().items()},
            "faults": self.faults(),
            "findings": [self._plain(finding) for finding in self.findings],
        }

    def _plain(self, finding: Finding) -> dict[str, Any]:
        photos = [
            {"path": self.relative(number), "label": self.dataset.labels[photo.label], "split": photo.split}
            for number, photo in ((number, self.dataset.photos[number]) for number in finding.photos)
        ]
        return {"kind": finding.kind.value, "photos": photos, "detail": finding.detail, **finding.facts}


def to_json(value: dict[str, Any], indent: int | None = None) -> str:
    r"""JSON in ASCII. A name that is not UTF-8 is written with `\udcXX` escapes, so that it can be restored."""
    return json.dumps(value, ensure_ascii=True, indent=indent)
