"""Familiarity of a run: centres of the training photos, and a threshold from photos that the centres never saw."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.text import path_cell
from contract.geometry import Geometry
from contract.labels import OTHER
from training.fit.familiarity import (
    CENTRES,
    Centres,
    FamiliarityFile,
    FamiliarityThreshold,
    choose_threshold,
    fit_centres,
    out_of_fold_familiarity,
)
from training.learnt import Task
from training.network.broad_network import BroadNetwork, read_broad
from training.network.centres import centres_of
from training.network.weights import InitialWeights
from training.on_features.candidate import most
from training.on_features.sides import Ints, Sides
from training.recipe.recipe import Recipe
from training.run import FAMILIARITY

BINS, LEAST_FAMILIAR = 30, 12


@dataclass(frozen=True, eq=False)
class FamiliarityResult:
    """Familiarity of a run.

    Attributes:
        centres: of the classes, and of other kinds of photos.
        threshold: from which value on a photo is one of the classes.
        facts: what run.json says.
    """

    centres: Centres
    threshold: FamiliarityThreshold
    facts: dict[str, Any]

    def is_familiar(self, features: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Whether each photo is like those of the classes, bool [N], by its broad features [N, F]."""
        return self.centres.familiarity(features)[0] >= self.threshold.value

    @property
    def sentence(self) -> str:
        """What the reader has to know."""
        found = self.threshold
        if found.kept_at_least is None:
            return (
                f"Photos with a familiarity below {found.value:.3f} will go to review. How many good photos do"
                f" cannot be promised, because {found.photos} photos are too few."
            )
        return (
            f"Photos with a familiarity below {found.value:.3f} will go to review: at most"
            f" {1 - found.kept_at_least:.1%} of good photos ({found.photos} photos that no centre was made from)."
        )


def find_familiarity(
    broad: NDArray[np.float32], sides: Sides, names: Sequence[str], task: Task, weights: InitialWeights
) -> FamiliarityResult:
    """Make the centres, choose the threshold, and write the run's familiarity.npz.

    Args:
        broad: pooled broad features of all samples, float32 [N, F].
        names: of the classes. Photos of `_other` are no photos of a class: they belong to the background.
    """
    recipe, network = task.recipe, read_broad(weights.file)
    other = names.index(OTHER) if OTHER in names else -1
    train = most(sides, sides.train, recipe.seed)
    known, judges = (numbers[sides.labels[numbers] != other] for numbers in (train, sides.judges))
    strange = np.asarray(broad[np.setdiff1d(train, known)])
    background = np.concatenate([network.background, centres_of(strange, CENTRES, recipe.seed)])
    features, labels = np.asarray(broad[known]), sides.labels[known]
    centres = fit_centres(features, labels, sides.classes, background, recipe.seed)
    if len(sides.val):
        judged = centres.familiarity(np.asarray(broad[judges]))[0]
    else:
        groups, judges = sides.groups[known], known
        judged = out_of_fold_familiarity(features, labels, groups, sides.classes, background, recipe.seed)
    found = choose_threshold(judged)
    FamiliarityFile(centres, network.projection).write(task.output / FAMILIARITY)
    facts = {
        "id": _id(network, recipe),
        "dimensions": network.projection.shape[1],
        "centres": len(centres.rows),
        "threshold": found.value,
        "kept": found.kept,
        "kept_at_least": found.kept_at_least,
        "photos": found.photos,
        **_shown(judged, judges, task),
    }
    return FamiliarityResult(centres, found, facts)


def _shown(judged: NDArray[np.float32], judges: Ints, task: Task) -> dict[str, Any]:
    """Histogram and least familiar photos, for the report."""
    counts, edges = np.histogram(judged, BINS)
    least = np.argsort(judged, kind="stable")[:LEAST_FAMILIAR]
    photos, root = task.prepared.samples.photos, task.prepared.dataset.root
    return {
        "histogram": {"low": float(edges[0]), "step": float(edges[1] - edges[0]), "counts": counts.tolist()},
        "least_familiar": [
            {"photo": path_cell(photos[judges[place]].path, root), "familiarity": round(float(judged[place]), 6)}
            for place in least
        ],
    }


def _id(network: BroadNetwork, recipe: Recipe) -> str:
    """Name under which embeddings can be compared: photos of another geometry have other ones."""
    geometry = Geometry(recipe.input.geometry, recipe.input.size_px)
    return network.id if geometry == network.geometry else f"{network.id}@{geometry.id}-{geometry.size_px}"
