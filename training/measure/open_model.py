"""Open a model to measure it: a run folder, its model.keras, or an .onnx file."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from contract.geometry import Geometry
from contract.session import open_model
from training.measure.metrics import Floats, softmax
from training.run import MODEL, Run, load_run

BATCH = 32


class Given(NamedTuple):
    """Answers for n photos: probabilities [n, classes], and familiarity [n] of a model that has it."""

    probabilities: Floats
    familiarity: Floats | None = None


@dataclass(frozen=True)
class Classifier:
    """An opened model.

    Attributes:
        classify: answers uint8 [n, S, S, 3], n up to BATCH.
        device: description of the device.
        thresholds: review threshold of each label, in order; 0 where there is none.
        run: the run of the model; None for a model file.
        familiarity: its threshold; None for a model that cannot tell.
    """

    labels: tuple[str, ...]
    geometry: Geometry
    classify: Callable[[NDArray[np.uint8]], Given]
    device: str
    thresholds: tuple[float, ...]
    run: Run | None = None
    familiarity: float | None = None


def open_classifier(model: Path) -> Classifier:
    """Open a model.

    Raises:
        PhototriageError: it is neither a run folder, nor its model.keras, nor a valid model file.
    """
    if model.suffix.lower() == ".onnx":
        return _of_onnx(model)
    return _of_run(load_run(model.parent if model.name == MODEL else model))


def _of_onnx(file: Path) -> Classifier:
    opened = open_model(file, threads=len(os.sched_getaffinity(0)))
    device = {"cpu": "the CPU", "cuda": "CUDA"}[opened.provider]
    contract = opened.contract

    def classify(photos: NDArray[np.uint8]) -> Given:
        """Keep no embedding, because there may be a million photos."""
        answers = opened.answer(photos)
        return Given(answers.probabilities, answers.familiarity)

    return Classifier(
        contract.labels,
        contract.geometry,
        classify,
        f"ONNX Runtime on {device}",
        _in_order(contract.thresholds, contract.labels),
        familiarity=None if contract.familiarity is None else contract.familiarity.threshold,
    )


def _of_run(run: Run) -> Classifier:
    from training.network.device import start_keras

    device = start_keras()
    from training.network.network import two_columns

    network = run.load_keras()

    def classify(photos: NDArray[np.uint8]) -> Given:
        """Classify one padded batch: for another shape the backend would build the graph again."""
        full = np.resize(photos, (BATCH, *photos.shape[1:]))
        return Given(softmax(two_columns(network.predict_on_batch(full)[: len(photos)]), run.temperature))

    return Classifier(run.labels, run.geometry, classify, device, _in_order(run.thresholds, run.labels), run)


def _in_order(thresholds: Mapping[str, float], labels: tuple[str, ...]) -> tuple[float, ...]:
    return tuple(thresholds.get(label, 0.0) for label in labels)
