"""What training finds out about its photos anyway: hashes, twins and failures, told as findings at no further cost."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contract.text import path_cell, printable
from training.check.balance import balance
from training.check.copies import duplicates, shared
from training.check.findings import BLANK_SPREAD
from training.check.held_out import doubtful, in_words
from training.check.kinds import Finding, Kind
from training.dataset.layout import Dataset
from training.dataset.prepare import Found
from training.dataset.samples import Samples
from training.measure.predictions import Predictions

SHOWN = 12  # findings of a kind that are kept; all are counted
SHOWN_PHOTOS = 4  # of one finding
KINDS = (Kind.UNLISTED, Kind.UNREADABLE, Kind.BLANK, Kind.CONFLICT, Kind.LEAK, Kind.DUPLICATE, Kind.NEAR, Kind.BALANCE)

_EVERY = 4  # pixels looked at across and down, to see whether a picture is blank


@dataclass(frozen=True)
class Seen:
    """One finding in a form that a run keeps: paths relative to the dataset, and the rest in words."""

    kind: Kind
    photos: tuple[str, ...]
    detail: str


@dataclass(frozen=True)
class DataFindings:
    """What was found about a dataset of so many photos: how many of each kind looked for, and some of each."""

    photos: int
    counts: Mapping[Kind, int]
    seen: tuple[Seen, ...]

    def and_suspects(self, predictions: Predictions, dataset: Dataset) -> "DataFindings":
        """The same, and the suspected wrong labels among validation photos, which the network did not learn from."""
        numbers = [number for number, photo in enumerate(predictions.photos) if photo.split == "val"]
        given, true = predictions.probabilities[numbers], predictions.true[numbers]
        places = doubtful(true, given)
        found = tuple(
            _seen(
                Kind.SUSPECT,
                [predictions.photos[numbers[place]].path],
                in_words(given[place], int(true[place]), dataset.labels),
                dataset,
            )
            for place in places[:SHOWN]
        )
        return replace(self, counts={**self.counts, Kind.SUSPECT: len(places)}, seen=(*self.seen, *found))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        seen = [{"kind": item.kind.value, "photos": list(item.photos), "detail": item.detail} for item in self.seen]
        return {
            "photos": self.photos,
            "counts": {kind.value: count for kind, count in self.counts.items()},
            "examples": seen,
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "DataFindings":
        """Read what `to_dict` wrote; raises KeyError, TypeError or ValueError where it is damaged."""
        seen = (Seen(Kind(item["kind"]), tuple(item["photos"]), str(item["detail"])) for item in value["examples"])
        counts = {Kind(kind): int(count) for kind, count in value["counts"].items()}
        return cls(int(value["photos"]), counts, tuple(seen))


def _seen(kind: Kind, paths: Sequence[Path], detail: str, dataset: Dataset) -> Seen:
    return Seen(kind, tuple(path_cell(path, dataset.root) for path in paths[:SHOWN_PHOTOS]), detail)


def known_findings(dataset: Dataset, found: Found) -> DataFindings:
    """Findings about a dataset as it was decoded, before anything is left out."""
    counts = dict.fromkeys(KINDS, 0)
    seen: list[Seen] = []
    for kind, paths, detail in _all(dataset, found):
        counts[kind] += 1
        if counts[kind] <= SHOWN:
            seen.append(_seen(kind, paths, detail, dataset))
    seen.sort(key=lambda item: KINDS.index(item.kind))
    return DataFindings(len(found.samples.photos) + counts[Kind.UNREADABLE], counts, tuple(seen))


def _all(dataset: Dataset, found: Found) -> Iterator[tuple[Kind, list[Path], str]]:
    """Every finding as kind, paths and words; thousands of them are counted and not kept."""
    yield from ((Kind.UNLISTED, [folder], why) for folder, why in dataset.unlisted)
    yield from ((Kind.UNREADABLE, [path], printable(reason)) for path, reason in found.failures)
    for finding in _among(found.samples, np.array(found.twins, np.int64), found.looks, dataset):
        yield (
            finding.kind,
            [found.samples.photos[number].path for number in finding.photos[:SHOWN_PHOTOS]],
            finding.detail,
        )


def _among(
    samples: Samples, groups: NDArray[np.int64], looks: NDArray[np.uint64], dataset: Dataset
) -> Iterator[Finding]:
    blank = _blank(samples, looks)
    groups[blank] = blank  # blank pictures look the same without being copies
    yield from (Finding(Kind.BLANK, (int(number),), "one colour and nothing else") for number in blank)
    yield from shared(samples.photos, dataset.labels, groups, samples.hashes)
    yield from duplicates(groups, samples.hashes)
    yield from balance(samples.photos, dataset.labels)


def _blank(samples: Samples, looks: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Numbers of the photos of one colour. Their hash has no bit set, so that only few need a look at the pixels."""
    bare = np.flatnonzero(looks == 0)
    pictures = (samples.pixels[samples.rows[number]][::_EVERY, ::_EVERY] for number in bare)
    spreads = [picture.std(axis=(0, 1), dtype=np.float32).max() for picture in pictures]
    return bare[np.array(spreads, np.float32) < BLANK_SPREAD]
