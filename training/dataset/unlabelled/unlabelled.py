"""Photos without labels, beside a dataset: found, decoded, and without copies of the photos of the dataset.

They are in no split: they never validate, test, or choose a threshold.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.text import printable
from contract.geometry import Geometry
from training.dataset.cache import decode_all
from training.dataset.decode_result import DecodedDataset
from training.dataset.digests import Digests
from training.dataset.folders import files_below, is_photo
from training.dataset.labelled.labelled import NO_CLASS, Labelled
from training.dataset.layout import Photo
from training.dataset.near_duplicates import find_near_duplicates
from training.dataset.samples import Samples
from training.dataset.unlabelled.stacked import Stacked
from training.errors import DatasetError
from training.progress import Reporter

MOST = 20_000
"""Photos that are read; of more, so many are drawn. Only some photos of each class can join, and to describe a million
takes more than an hour."""
_NOT_DRAWN = f"not among the {MOST:,} that were drawn"
_DAMAGED = "damaged or of unknown kinds"
_SAID = "labelled by people"
_COPIES = "the same as photos of the dataset, or as each other"


@dataclass(frozen=True)
class Unlabelled:
    """Photos without labels.

    Attributes:
        name: of their folder, without the folders above.
        found: how many photos lie in the folder.
        samples: those that may join; they have no class and no split.
        difference_hashes: uint64 [N], of each.
        left_out: why others are left out, and how many.
        features: float32 [N, F], broad features of each; None until they are described.
    """

    name: str
    found: int
    samples: Samples
    difference_hashes: NDArray[np.uint64]
    left_out: Mapping[str, int]
    features: NDArray[np.float32] | None = None

    @property
    def sha256(self) -> str:
        """Hash of the contents that may join, in order."""
        return hashlib.sha256(self.samples.hashes.rows.tobytes()).hexdigest()

    def sentence(self) -> str:
        """What was found, in one line."""
        left_out = "".join(f"; {count:,} left out: {why}" for why, count in self.left_out.items() if count)
        return f"{len(self.samples.rows):,} of {self.found:,} photos of {printable(self.name)} have no label{left_out}."


def pool_beside(
    found: DecodedDataset,
    folder: Path,
    geometry: Geometry,
    seed: int,
    describe: Callable[[Samples], NDArray[np.float32]],
    labelled: Labelled | None,
    reporter: Reporter,
) -> Unlabelled:
    """The photos without labels that may join, described.

    Args:
        found: the dataset.
        folder, seed, labelled: as of `read_unlabelled`.
        describe: gives broad features, as for the dataset.

    Raises:
        DatasetError: there is none.
    """
    given = read_unlabelled(folder, geometry, seed, labelled, reporter)
    pool = without_copies(given, describe(given.samples), found)
    reporter.say(pool.sentence())
    return pool


def read_unlabelled(
    folder: Path, geometry: Geometry, seed: int, labelled: Labelled | None, reporter: Reporter
) -> Unlabelled:
    """Find and decode the photos below a folder, whatever its subfolders are called.

    Args:
        labelled: what people said of photos. A photo of which they said something gets no other label.

    Raises:
        DatasetError: the folder cannot be listed, or holds no photo that can be read.
    """
    every = _photos_below(folder)
    photos = _drawn(every, seed)
    with reporter.work("Reading photos without labels", len(photos)) as tick:
        decoded = decode_all((photo.path for photo in photos), geometry, tick)
    samples = Samples(photos, decoded.rows, decoded.hashes, decoded.pixels)
    stays = decoded.rows >= 0
    left_out = Counter({_NOT_DRAWN: len(every) - len(photos), _DAMAGED: int((~stays).sum())})
    if labelled is not None:
        said = np.array([place for place, _ in labelled.found(decoded.hashes) if stays[place]], np.int64)
        left_out[_SAID], stays[said] = len(said), False
    _check_any(stays, folder, left_out)
    places = np.flatnonzero(stays)
    given = samples.take(places), decoded.difference_hashes[places]
    return Unlabelled(folder.resolve().name, len(every), *given, left_out)


def _check_any(stays: NDArray[Any], folder: Path | str, left_out: Mapping[str, int]) -> None:
    """Raise DatasetError if no photo is left."""
    if not stays.any():
        why = "; ".join(f"{count:,} {why}" for why, count in left_out.items() if count)
        raise DatasetError(f"No photo of {printable(folder)} can get a pseudo-label ({why}). Pass a folder of others.")


def _photos_below(folder: Path) -> list[Photo]:
    missed: list[OSError] = []
    photos = [Photo(path, NO_CLASS) for path in files_below(folder, missed.append) if is_photo(path)]
    if photos:
        return photos
    why = f" ({missed[0].strerror})" if missed else ""
    raise DatasetError(
        f"{printable(folder)} holds no photos{why}. Pass a folder of photos without labels, or of folders of them."
    )


def _drawn(photos: list[Photo], seed: int) -> tuple[Photo, ...]:
    """At most MOST photos, in their order."""
    if len(photos) <= MOST:
        return tuple(photos)
    chosen = np.sort(np.random.default_rng(seed).choice(len(photos), MOST, replace=False))
    return tuple(photos[place] for place in chosen)


def without_copies(
    given: Unlabelled,
    features: NDArray[np.float32],
    found: DecodedDataset,
) -> Unlabelled:
    """Leave out photos that show the same as one of the dataset, or as an earlier one without a label.

    A copy of a validation or test photo would flatter the figures, and so would one of a training photo where these
    judge in turn. Copies among themselves count as one photo.

    Args:
        features: of the photos without labels, float32 [N, F].
        found: the dataset, with all its splits, described.

    Raises:
        DatasetError: none is left.
    """
    samples, hashes, known = found.samples, found.difference_hashes, found.features
    assert known is not None
    both = Digests(np.concatenate([samples.hashes.rows, given.samples.hashes.rows]))
    rows = np.concatenate([samples.rows, len(samples.pixels) + given.samples.rows])
    groups = find_near_duplicates(
        both,
        np.concatenate([hashes, given.difference_hashes]),
        rows,
        Stacked(samples.pixels, given.samples.pixels),
        Stacked(known, features),
    )
    own = len(samples.rows)
    stays = np.flatnonzero(np.array(groups[own:], np.int64) == own + np.arange(len(features)))  # founders of groups
    left_out = {**given.left_out, _COPIES: len(features) - len(stays)}
    _check_any(np.ones(len(stays)), given.name, left_out)
    return replace(
        given,
        samples=given.samples.take(stays),
        difference_hashes=given.difference_hashes[stays],
        left_out=left_out,
        features=features[stays],
    )
