"""Finished cells of chosen figures, without a training."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import h5py  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import NDArray

from training.measure.metrics import compute_metrics
from training.recipe.recipe import Recipe
from training.run import HISTORY, MODEL, write_manifest

PARAMETERS = 21
Chances = tuple[NDArray[np.int64], NDArray[np.float64]]


def write_cell(
    folder: Path,
    recipe: Recipe,
    labels: Sequence[str],
    sides: Mapping[str, Chances],
    data_hash: str = "0" * 64,
    seconds: float = 3.0,
    groups_hash: str = "",
) -> None:
    """Write a run folder as training does, but for its predictions.

    Args:
        sides: for each side, the photos' classes and their probabilities. seconds: that it says to have taken.
        groups_hash: of the file of groups; empty for none.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"{epoch},{1 / (epoch + 1):.3f},{1 - 0.4 / (epoch + 1):.3f},{0.8 / (epoch + 1):.3f},{epoch < 4}\n"
             for epoch in range(6)]  # fmt: skip
    (folder / HISTORY).write_text("epoch,loss,accuracy,log_loss,best\n" + "".join(lines))
    write_network(folder / MODEL)
    manifest = {
        "labels": list(labels),
        "geometry": {"id": "exif-rgb-stretch-bilinear-1", "size_px": 32},
        "temperature": 1.0,
        "thresholds": dict.fromkeys(labels, 0.5),
        "metrics": {side: compute_metrics(true, chances, labels).card() for side, (true, chances) in sides.items()},
        "recipe": asdict(recipe),
        "dataset": {"root": str(folder), "sha256": data_hash}
        | ({"groups": {"sha256": groups_hash}} if groups_hash else {}),
        "seconds": {"data": 1.0, "head": seconds - 1},
    }
    write_manifest(folder, manifest)


def chances(true: NDArray[np.int64], classes: int, sure: float, seed: int = 5) -> Chances:
    """The classes with probabilities; the surer, the more are right."""
    rng = np.random.default_rng(seed)
    rows = rng.dirichlet(np.ones(classes), len(true))
    rows[np.arange(len(rows)), true] += np.exp(sure / 4)
    return true, np.asarray(rows / rows.sum(axis=1, keepdims=True))


def write_network(file: Path) -> None:
    """Write `PARAMETERS` weights, and the state of a random generator, which is none, as Keras does."""
    weights = BytesIO()
    with h5py.File(weights, "w") as tree:
        tree["layers/dense/vars/0"] = np.zeros((6, 3))
        tree["layers/dense/vars/1"] = np.zeros(3)
        tree["layers/dropout/seed_generator/vars/0"] = np.zeros(2)
    with ZipFile(file, "w") as archive:
        archive.writestr("model.weights.h5", weights.getvalue())
