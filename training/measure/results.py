"""Measure a trained network, and build its manifest (run.json)."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from common.packages import installed_versions
from contract.geometry import Geometry
from contract.labels import Side
from training.dataset.digests import Digests
from training.dataset.prepare import PreparedData
from training.dataset.samples import Samples
from training.measure.calibrate import Calibration, calibrate
from training.measure.metrics import Floats, Metrics, compute_metrics, softmax
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


@dataclass(frozen=True)
class Answers:
    """Logits of one split.

    Attributes:
        samples: the photos.
        logits: [N, classes], of a model that has not learnt from the photo.
        learnt: bool [N], whether the final model may have learnt from the photo, or from a near copy of it.
        final: [N, classes], of the final model; None if that gave `logits`.
    """

    samples: Samples
    logits: Floats
    learnt: NDArray[np.bool_]
    final: Floats | None = None


def measure_run(model: "keras.Model", prepared: PreparedData, recipe: Recipe, reporter: Reporter) -> RunMeasurement:
    """Let a network answer the photos of the splits, and measure the answers."""
    from training.network.features import logits_of

    splits = ("val", "test", "train") if recipe.results.train_figures else ("val", "test")
    parts = {split: samples for split in splits if (samples := prepared.samples.of(split)).photos}
    with reporter.work("Measuring", sum(len(samples.photos) for samples in parts.values())) as tick:
        answers = {
            split: Answers(samples, logits_of(model, samples, tick), np.full(len(samples.photos), split == "train"))
            for split, samples in parts.items()
        }
    return measured_answers(answers, prepared.dataset.labels, recipe)


def measured_answers(answers: Mapping[str, Answers], labels: Sequence[str], recipe: Recipe) -> RunMeasurement:
    """Calibrate on the honest answers of the validation photos, and measure all splits.

    Args:
        answers: `val`, and where there are any `test` and `train`.
    """
    calibration = calibrate(answers["val"].logits, answers["val"].samples.labels, labels, recipe.precision)
    given = {split: softmax(part.logits, calibration.temperature) for split, part in answers.items()}
    found = {split: compute_metrics(part.samples.labels, given[split], labels) for split, part in answers.items()}
    return RunMeasurement(
        calibration=calibration,
        validation=found["val"],
        test=found.get("test"),
        train=found.get("train"),
        predictions=Predictions(
            tuple(photo for part in answers.values() for photo in part.samples.photos),
            np.concatenate([*given.values()]),
            None if answers["val"].final is None else _final(answers, calibration.temperature),
            Digests(np.concatenate([part.samples.hashes.rows for part in answers.values()])),
            np.concatenate([part.learnt for part in answers.values()]),
        ),
    )


def _final(answers: Mapping[str, Answers], temperature: float) -> Floats:
    """Probabilities of the final model for all photos."""
    given = (part.logits if part.final is None else part.final for part in answers.values())
    return np.concatenate([softmax(logits, temperature) for logits in given])


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
            **_groups_file(prepared),
            **_labels_file(prepared),
            **({"collected": dict(prepared.from_web)} if prepared.from_web else {}),
        },
        "made_by": installed_versions(_MADE_WITH),
    }


def _groups_file(prepared: PreparedData) -> dict[str, Any]:
    """Which file of groups was used, if there was one: it decides the split."""
    named = prepared.named
    return {} if named is None else {"groups": {"file": named.name, "sha256": named.sha256}}


def _labels_file(prepared: PreparedData) -> dict[str, Any]:
    """Which labels took part, if there were any: of the photos that teach, and of those that no head learns from."""
    labelled = prepared.labelled
    if labelled is None:
        return {}
    samples = prepared.samples
    part = {digest: samples.photos[place].split for place, digest in labelled.found(samples.hashes)}
    held_out = sum(split == "val" and labelled.sides[digest] is Side.HELD_OUT for digest, split in part.items())
    facts = {"file": labelled.name, "sha256": labelled.sha256, "photos": len(part), "held_out": held_out}
    return {"labels": {**facts, "added": list(labelled.added)}}
