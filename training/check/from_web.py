"""Findings about photos that were collected from the web: without a row in sources.csv, or not to train with."""

from collections.abc import Iterator

from common.sources import is_collected
from training.check.copies import DigestLookup
from training.check.kinds import Finding, Kind
from training.dataset.groups.collected import read_licences
from training.dataset.layout import Dataset


def from_web(dataset: Dataset, digests: DigestLookup) -> Iterator[Finding]:
    """Yield photos whose licence nobody can tell any more, and those that validate or test.

    Args:
        digests: SHA-256 of each photo.

    Raises:
        DatasetError: a sources.csv cannot be read.
    """
    licences = read_licences(dataset.root, (photo.folder for photo in dataset.photos))
    for number, photo in enumerate(dataset.photos):
        licence = licences.get(digests[number])
        if licence is None and not is_collected(photo.name):
            continue
        if licence is None:
            yield Finding(Kind.FROM_WEB, (number,), "collected from the web, and no sources.csv names it")
        if photo.split in ("val", "test"):
            facts = {"licence": licence}
            yield Finding(Kind.FROM_WEB, (number,), f"collected from the web, and in {photo.split}", facts)
