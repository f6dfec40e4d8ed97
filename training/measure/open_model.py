"""Open a model to measure it: a run folder, its model.keras, or an .onnx file."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from contract.geometry import Geometry
from contract.session import open_model
from training.measure.metrics import Floats, softmax
from training.run import MODEL, Run, load_run

BATCH = 32


@dataclass(frozen=True)
class Classifier:
    """An opened model.

    Attributes:
        classify: uint8 [n, S, S, 3], n up to BATCH -> probabilities [n, classes].
        device: description of the device.
        run: the run of the model; None for a model file.
    """

    labels: tuple[str, ...]
    geometry: Geometry
    classify: Callable[[NDArray[np.uint8]], Floats]
    device: str
    run: Run | None = None


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
    return Classifier(opened.contract.labels, opened.contract.geometry, opened.run, f"ONNX Runtime on {device}")


def _of_run(run: Run) -> Classifier:
    from training.network.device import start_keras

    device = start_keras()
    from training.network.network import two_columns

    network = run.load_keras()

    def classify(photos: NDArray[np.uint8]) -> Floats:
        """Classify one padded batch: for another shape the backend would build the graph again."""
        full = np.resize(photos, (BATCH, *photos.shape[1:]))
        return softmax(two_columns(network.predict_on_batch(full)[: len(photos)]), run.temperature)

    return Classifier(run.labels, run.geometry, classify, device, run)
