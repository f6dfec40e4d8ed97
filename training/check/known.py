"""Findings that training gets at no extra cost, from hashes, near duplicates and failures."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.text import path_cell, printable
from training.check.balance import balance
from training.check.copies import conflicts_and_leaks, duplicates
from training.check.findings import BLANK_SPREAD
from training.check.held_out import describe_suspect, suspect_labels
from training.check.kinds import SHOWN_PHOTOS, Finding, Kind
from training.dataset.decode_result import DecodedDataset
from training.dataset.layout import Dataset
from training.dataset.samples import Samples
from training.measure.predictions import Predictions

SHOWN = 12  # stored findings of a kind; all are counted
KINDS = (Kind.UNLISTED, Kind.UNREADABLE, Kind.BLANK, Kind.CONFLICT, Kind.LEAK, Kind.DUPLICATE, Kind.NEAR, Kind.BALANCE)

_EVERY = 4  # step between the pixels that are checked for a blank picture, across and down


@dataclass(frozen=True)
class FindingExample:
    """A finding as stored in a run: paths relative to the dataset, and a description."""

    kind: Kind
    photos: tuple[str, ...]
    detail: str


@dataclass(frozen=True)
class DataFindings:
    """Findings about a dataset: number of photos, number of findings of each kind, and examples."""

    photos: int
    counts: Mapping[Kind, int]
    examples: tuple[FindingExample, ...]

    def with_suspect_labels(self, predictions: Predictions, dataset: Dataset) -> "DataFindings":
        """Add the suspected wrong labels among validation photos, which the network did not learn from."""
        numbers = [number for number, photo in enumerate(predictions.photos) if photo.split == "val"]
        given, true = predictions.probabilities[numbers], predictions.true[numbers]
        places = suspect_labels(true, given)
        found = tuple(
            _example(
                Kind.SUSPECT,
                [predictions.photos[numbers[place]].path],
                describe_suspect(given[place], int(true[place]), dataset.labels),
                dataset,
            )
            for place in places[:SHOWN]
        )
        return replace(self, counts={**self.counts, Kind.SUSPECT: len(places)}, examples=(*self.examples, *found))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        seen = [{"kind": item.kind.value, "photos": list(item.photos), "detail": item.detail} for item in self.examples]
        return {
            "photos": self.photos,
            "counts": {kind.value: count for kind, count in self.counts.items()},
            "examples": seen,
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "DataFindings":
        """Read the output of `to_dict`.

        Raises:
            KeyError, TypeError, ValueError: it is damaged.
        """
        seen = (
            FindingExample(Kind(item["kind"]), tuple(item["photos"]), str(item["detail"])) for item in value["examples"]
        )
        counts = {Kind(kind): int(count) for kind, count in value["counts"].items()}
        return cls(int(value["photos"]), counts, tuple(seen))


def _example(kind: Kind, paths: Sequence[Path], detail: str, dataset: Dataset) -> FindingExample:
    return FindingExample(kind, tuple(path_cell(path, dataset.root) for path in paths[:SHOWN_PHOTOS]), detail)


def known_findings(dataset: Dataset, found: DecodedDataset) -> DataFindings:
    """Findings about a decoded dataset, before photos are left out."""
    counts = dict.fromkeys(KINDS, 0)
    seen: list[FindingExample] = []
    for kind, paths, detail in _all_findings(dataset, found):
        counts[kind] += 1
        if counts[kind] <= SHOWN:
            seen.append(_example(kind, paths, detail, dataset))
    seen.sort(key=lambda item: KINDS.index(item.kind))
    return DataFindings(len(found.samples.photos) + counts[Kind.UNREADABLE], counts, tuple(seen))


def _all_findings(dataset: Dataset, found: DecodedDataset) -> Iterator[tuple[Kind, list[Path], str]]:
    """Yield every finding as kind, paths and description, because thousands of them are only counted."""
    yield from ((Kind.UNLISTED, [folder], why) for folder, why in dataset.unlisted)
    yield from ((Kind.UNREADABLE, [path], printable(reason)) for path, reason in found.failures)
    for finding in _findings_among(found.samples, np.array(found.groups, np.int64), found.difference_hashes, dataset):
        yield (
            finding.kind,
            [found.samples.photos[number].path for number in finding.photos[:SHOWN_PHOTOS]],
            finding.detail,
        )


def _findings_among(
    samples: Samples, groups: NDArray[np.int64], difference_hashes: NDArray[np.uint64], dataset: Dataset
) -> Iterator[Finding]:
    blank = _blank(samples, difference_hashes)
    groups[blank] = blank  # blank pictures look alike without being copies
    yield from (Finding(Kind.BLANK, (int(number),), "one colour and nothing else") for number in blank)
    yield from conflicts_and_leaks(samples.photos, dataset.labels, groups, samples.hashes)
    yield from duplicates(groups, samples.hashes)
    yield from balance(samples.photos, dataset.labels)


def _blank(samples: Samples, difference_hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Indices of blank photos. Their hash has no bit set, so the pixels of only few photos are checked."""
    bare = np.flatnonzero(difference_hashes == 0)
    pictures = (samples.pixels[samples.rows[number]][::_EVERY, ::_EVERY] for number in bare)
    spreads = [picture.std(axis=(0, 1), dtype=np.float32).max() for picture in pictures]
    return bare[np.array(spreads, np.float32) < BLANK_SPREAD]
