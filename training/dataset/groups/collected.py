"""Photos that were collected from the web: which they are, and under which licences.

They teach and never judge, because a figure about photos of the web says nothing about its owner's photos.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from common.licences import owed
from common.sources import find_sources, is_collected, read_sources
from training.dataset.samples import Samples
from training.errors import DatasetError

UNKNOWN = "unknown"

Licences = Mapping[bytes, str]
"""Codes of licences, by the SHA-256 of the photo."""


class FromWeb(NamedTuple):
    """Collected photos of a dataset.

    Attributes:
        places: which they are, bool [N].
        licences: those that are known.
    """

    places: NDArray[np.bool_]
    licences: Licences

    def facts(self, samples: Samples, kept: NDArray[np.int64]) -> dict[str, Any]:
        """Return `licence_facts` of those that take part."""
        return licence_facts(samples.hashes.take(kept[self.places[kept]]), self.licences)


def find_from_web(root: Path, samples: Samples) -> FromWeb:
    """Find the collected photos of a dataset.

    Raises:
        DatasetError: a sources.csv cannot be read.
    """
    licences = read_licences(root, (photo.folder for photo in samples.photos))
    return FromWeb(collected((photo.name for photo in samples.photos), samples.hashes, licences), licences)


def read_licences(root: Path, folders: Iterable[str]) -> Licences:
    """Return the licence of each photo that a sources.csv of a dataset names.

    Args:
        root: the dataset.
        folders: of its photos.

    Raises:
        DatasetError: a table cannot be read.
    """
    found: dict[bytes, str] = {}
    for table in find_sources(root, map(Path, set(folders))):
        try:
            found |= {bytes.fromhex(row.sha256): row.licence for row in read_sources(table)}
        except OSError as error:
            raise DatasetError(f"{table} cannot be read ({error.strerror}). Check its permissions.") from error
    return found


def collected(names: Iterable[str], hashes: Sequence[bytes], licences: Licences) -> NDArray[np.bool_]:
    """Which photos were collected, bool [N]: a table names them, or they have the name of one.

    Args:
        names: of their files, without folders.
        hashes: SHA-256 of each one.
    """
    found = (digest in licences or is_collected(name) for name, digest in zip(names, hashes, strict=True))
    return np.fromiter(found, np.bool_, len(hashes))


def licence_facts(hashes: Iterable[bytes], licences: Licences) -> dict[str, Any]:
    """Count collected photos by licence, and tell what is owed; empty if there are none.

    Args:
        hashes: SHA-256 of each photo that was collected.
    """
    counts = Counter(licences.get(digest, UNKNOWN) for digest in hashes)
    if not counts:
        return {}
    duties = {code: owed(code) for code in counts if owed(code)}
    if UNKNOWN in counts:
        duties[UNKNOWN] = "no sources.csv names these photos, so that nobody can tell"
    return {"photos": counts.total(), "licences": dict(counts), "owed": duties}
