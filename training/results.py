"""What a trained network is worth, measured once training is over, and how run.json tells it."""

import platform
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import numpy as np

from contract.geometry import Geometry
from training.calibrate import find_temperature, find_thresholds
from training.data import Prepared
from training.metrics import Metrics, measure, softmax
from training.recipe import Recipe
from training.table import Predictions

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Measured:
    """Calibration, and figures of the validation photos and of test photos, where there are any."""

    temperature: float
    thresholds: dict[str, float]
    validation: Metrics
    test: Metrics | None
    predictions: Predictions


def measure_run(model: "keras.Model", prepared: Prepared, recipe: Recipe) -> Measured:
    """Calibrate on the validation photos; look at the test photos only then, once."""
    from training.head import logits_of

    labels = prepared.dataset.labels
    val, test = prepared.samples.of("val"), prepared.samples.of("test")
    logits = logits_of(model, val)
    temperature = find_temperature(logits, val.labels)
    probabilities = softmax(logits, temperature)
    tested = softmax(logits_of(model, test), temperature) if test.photos else probabilities[:0]
    return Measured(
        temperature=temperature,
        thresholds=find_thresholds(probabilities, val.labels, labels, recipe.precision),
        validation=measure(val.labels, probabilities, labels),
        test=measure(test.labels, tested, labels) if test.photos else None,
        predictions=Predictions(val.photos + test.photos, np.concatenate([probabilities, tested])),
    )


def manifest_of(prepared: Prepared, recipe: Recipe, measured: Measured) -> dict[str, Any]:
    """What run.json says of data, calibration and figures."""
    geometry = Geometry(recipe.input.geometry, recipe.input.size_px)
    metrics = {"validation": measured.validation.card()}
    if measured.test is not None:
        metrics["test"] = measured.test.card()
    splits = [photo.split for photo in prepared.samples.photos]
    return {
        "labels": list(prepared.dataset.labels),
        "geometry": {"id": geometry.id, "size_px": geometry.size_px},
        "temperature": measured.temperature,
        "thresholds": measured.thresholds,
        "metrics": metrics,
        "recipe": asdict(recipe),
        "dataset": {
            "root": str(prepared.dataset.root.absolute()),
            "layout": prepared.dataset.kind,
            "sha256": prepared.data_hash(),
            "photos": {name: splits.count(name) for name in ("train", "val", "test")},
            "unreadable": prepared.unreadable,
        },
        "made_by": {"python": platform.python_version(), **_versions()},
    }


def _versions() -> dict[str, str]:
    found = {}
    for name in ("phototriage", "tensorflow", "keras", "numpy", "pillow"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue  # run from a clone without being installed
    return found
