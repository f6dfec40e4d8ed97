"""Familiarity: how like the photos of the classes a photo is, and from which value on it is a stranger.

Fine-tuning for some classes destroys what tells a photo of none of them; the broad network keeps it. The score is the
cosine to the nearest of some centres of what each class looks like, less half of the cosine to the nearest centre of
all other kinds of photos (docs/measurements.md compares it with others).
"""

import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.publish import publish_bytes
from training.errors import RunError
from training.fit.regression import folds
from training.network.broad_network import unit_length
from training.network.centres import centres_of

KEPT = 0.98
"""Share of good photos that the threshold keeps."""
CERTAINTY = 0.95
"""Of the promise that they are kept."""
CENTRES = 200
"""Centres of all classes together; each class has at least one."""
OTHERS = 0.5
"""Weight of the other kinds of photos."""
LEAST_PHOTOS = 150
"""Fewer photos cannot promise that KEPT of them stay: not even if all did."""
FEW_FOLDS, FOLDS = 20, 5
MOST_PHOTOS = 20_000
"""Photos from which centres are made; more move them by nothing that matters."""

_ITSELF = 1 - 1e-5  # cosine of a photo to a centre that is this photo

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Centres:
    """What the classes look like.

    Attributes:
        rows: float32 [K, F] of unit length, class after class.
        classes: class of each centre, int64 [K].
        others: centres of other kinds of photos, float32 [M, F] of unit length; M may be 0.
    """

    rows: Floats
    classes: Ints
    others: Floats

    def familiarity(self, features: Floats) -> tuple[Floats, Ints]:
        """Familiarity, [N], and the class of the nearest centre, [N], of pooled broad features [N, F]."""
        given = unit_length(features)
        cosines = given @ self.rows.T
        nearest: Ints = self.classes[cosines.argmax(axis=1)]
        values: Floats = cosines.max(axis=1) - np.float32(OTHERS) * (given @ self.others.T).max(axis=1, initial=0.0)
        return values, nearest


@dataclass(frozen=True)
class FamiliarityThreshold:
    """From which familiarity on a photo is one of the classes.

    Attributes:
        value: a photo below is unfamiliar.
        kept: share of the photos below that stay.
        kept_at_least: the share of good photos that stays, with CERTAINTY; None if too few photos can promise it.
        photos: photos that no centre was made from.
    """

    value: float
    kept: float
    kept_at_least: float | None
    photos: int


def fit_centres(features: Floats, labels: Ints, classes: int, background: Floats, seed: int) -> Centres:
    """Centres of each class, and what remains of the background.

    Args:
        features: pooled broad features, float32 [N, F].
        labels: class of each, int64 [N].
        classes: number of classes; one without photos has no centre.
        background: of the broad network, float32 [B, F] of unit length.
    """
    each, rows, names = max(1, CENTRES // classes), [], []
    for label in range(classes):
        own = _some(np.flatnonzero(labels == label), MOST_PHOTOS // classes, seed)
        if len(own):
            rows.append(centres_of(features[own], each, seed))
            names.append(np.full(len(rows[-1]), label, np.int64))
    centres = np.concatenate(rows)
    return Centres(centres, np.concatenate(names), background_without(features, centres, background))


def background_without(features: Floats, centres: Floats, background: Floats) -> Floats:
    """The background but for what looks like some classes themselves.

    Args:
        features: pooled broad features of photos of these classes, float32 [N, F].
        centres: of these classes, float32 [K, F] of unit length.
        background: float32 [B, F] of unit length.
    """
    near = unit_length(features) @ centres.T
    near[near > _ITSELF] = -1.0
    usual = np.quantile(near.max(axis=1), 1 - KEPT)
    others: Floats = background[(background @ centres.T).max(axis=1, initial=-1.0) < usual]
    return others


def _some(numbers: Ints, most: int, seed: int) -> Ints:
    if len(numbers) <= max(1, most):
        return numbers
    return np.sort(np.random.default_rng(seed).permutation(numbers)[: max(1, most)])


def out_of_fold_familiarity(
    features: Floats, labels: Ints, groups: Ints, classes: int, background: Floats, seed: int
) -> Floats:
    """Familiarity of each photo by centres that were made without it and its near copies, float32 [N]."""
    values = np.zeros(len(labels), np.float32)
    for rest, held_out in folds(labels, groups, FOLDS if len(labels) >= LEAST_PHOTOS else FEW_FOLDS):
        centres = fit_centres(features[rest], labels[rest], classes, background, seed)
        values[held_out] = centres.familiarity(features[held_out])[0]
    return values


def choose_threshold(values: Floats) -> FamiliarityThreshold:
    """The highest threshold that keeps KEPT of the good photos with CERTAINTY.

    With too few photos for that it is the value that keeps KEPT of these photos, which promises nothing.

    Args:
        values: familiarity of photos of the classes that no centre was made from, [N], N > 0.
    """
    count, rising = len(values), np.sort(values)
    below = next((number for number in _lost(count) if _most_lost(number, count) <= 1 - KEPT), None)
    value = float(np.floor(rising[int((1 - KEPT) * count) if below is None else below] * 1e6) / 1e6)
    return FamiliarityThreshold(
        value,
        float((values >= value).mean()),
        None if below is None else 1 - _most_lost(below, count),
        count,
    )


def _lost(count: int) -> Iterator[int]:
    return iter(range(int((1 - KEPT) * count), -1, -1))


def _most_lost(lost: int, count: int) -> float:
    """Upper bound of the share that is lost, with CERTAINTY, where `lost` of `count` photos are (Clopper, Pearson)."""
    from scipy.stats import beta

    return float(beta.ppf(CERTAINTY, lost + 1, count - lost)) if lost < count else 1.0


@dataclass(frozen=True, eq=False)
class FamiliarityFile:
    """What a run folder holds, so that a conversion can put it into the model: constants of the graph.

    Attributes:
        centres: of the classes.
        projection: float32 [F, D] from unit-length features to embeddings.
    """

    centres: Centres
    projection: Floats

    def write(self, path: Path) -> None:
        """Write an .npz; the same content gives the same bytes."""
        file = io.BytesIO()
        arrays: dict[str, Any] = {
            "centres": self.centres.rows,
            "classes": self.centres.classes,
            "others": self.centres.others,
            "projection": self.projection,
        }
        np.savez(file, allow_pickle=False, **arrays)
        publish_bytes(path, file.getvalue())

    @classmethod
    def read(cls, path: Path) -> "FamiliarityFile":
        """Read what `write` wrote.

        Raises:
            RunError: it is missing or damaged.
        """
        try:
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
                return cls(Centres(file["centres"], file["classes"], file["others"]), file["projection"])
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise RunError(f"{path} is missing or damaged ({error}). Train the run again.") from error
