"""Measure a trained network, and build its manifest (run.json)."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from common.packages import installed_versions
from contract.geometry import Geometry
from training.dataset.digests import Digests
from training.dataset.prepare import PreparedData
from training.measure.calibrate import Calibration, calibrate
from training.measure.metrics import Metrics, compute_metrics, softmax
from training.measure.predictions import Predictions
from training.progress import Reporter
from training.recipe.recipe import Recipe

if TYPE_CHECKING:
    import keras

_MADE_WITH = ("phototriage", "tensorflow", "keras", "numpy", "pillow")


@dataclass(frozen=True)
class RunMeasurement:
    """Calibration and metrics of a trained network.

    Attributes:
        calibration: temperature and review thresholds, and what they hold on new photos.
        validation: metrics of the validation photos.
        test: metrics of the test photos; None without test photos.
        train: metrics of the training photos; None unless the recipe requests them.
        predictions: predictions of all measured photos.
    """

    calibration: Calibration
    validation: Metrics
    test: Metrics | None
    train: Metrics | None
    predictions: Predictions


def measure_run(model: "keras.Model", prepared: PreparedData, recipe: Recipe, reporter: Reporter) -> RunMeasurement:
    """Calibrate on the validation photos, and then measure the test photos once."""
    from training.network.features import logits_of

    labels = prepared.dataset.labels
    splits = ("val", "test", "train") if recipe.results.train_figures else ("val", "test")
    parts = {split: samples for split in splits if (samples := prepared.samples.of(split)).photos}
    with reporter.work("Measuring", sum(len(samples.photos) for samples in parts.values())) as tick:
        logits = {split: logits_of(model, samples, tick) for split, samples in parts.items()}
    calibration = calibrate(logits["val"], parts["val"].labels, labels, recipe.precision)
    given = {split: softmax(values, calibration.temperature) for split, values in logits.items()}
    found = {split: compute_metrics(samples.labels, given[split], labels) for split, samples in parts.items()}
    return RunMeasurement(
        calibration=calibration,
        validation=found["val"],
        test=found.get("test"),
        train=found.get("train"),
        predictions=Predictions(
            tuple(photo for samples in parts.values() for photo in samples.photos),
            np.concatenate([*given.values()]),
            hashes=Digests(np.concatenate([samples.hashes.rows for samples in parts.values()])),
        ),
    )


def run_manifest(prepared: PreparedData, recipe: Recipe, measured: RunMeasurement) -> dict[str, Any]:
    """The part of run.json about data, calibration and metrics."""
    geometry = Geometry(recipe.input.geometry, recipe.input.size_px)
    metrics = {"validation": measured.validation.card()}
    for split, found in (("test", measured.test), ("train", measured.train)):
        if found is not None:
            metrics[split] = found.card()
    splits = [photo.split for photo in prepared.samples.photos]
    return {
        "labels": list(prepared.dataset.labels),
        "geometry": {"id": geometry.id, "size_px": geometry.size_px},
        "temperature": measured.calibration.temperature,
        "thresholds": measured.calibration.thresholds,
        "calibration": measured.calibration.to_dict(),
        "metrics": metrics,
        "recipe": asdict(recipe),
        "dataset": {
            "root": str(prepared.dataset.root.absolute()),
            "layout": prepared.dataset.kind,
            "sha256": prepared.data_hash(),
            "photos": {name: splits.count(name) for name in ("train", "val", "test")},
            "unreadable": prepared.unreadable,
        },
        "made_by": installed_versions(_MADE_WITH),
    }
