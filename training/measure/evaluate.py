"""Measure a run or a model file on labelled photos, with or without TensorFlow."""

import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.errors import PhotoError
from common.publish import publish_bytes
from common.text import printable
from contract.geometry import Geometry
from training.dataset.decoding import decode, turn_of
from training.dataset.layout import Dataset, Photo, find_dataset
from training.dataset.regular_file import regular_file_status
from training.errors import DatasetError
from training.measure.metrics import Metrics, compute_metrics
from training.measure.open_model import BATCH, Classifier, open_classifier
from training.measure.predictions import Predictions, read_predictions, write_predictions
from training.output import check_output
from training.progress import Reporter
from training.run import PREDICTIONS, Run

METRICS = "metrics.json"


@dataclass(frozen=True)
class Evaluation:
    """Result of an evaluation.

    Attributes:
        unreadable: (path, reason) of the photos that are not counted.
    """

    model: Path
    dataset: Dataset
    metrics: Metrics
    predictions: Predictions
    unreadable: tuple[tuple[Path, str], ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "model": printable(self.model),
            "dataset": printable(self.dataset.root.absolute()),
            "labels": list(self.dataset.labels),
            "unreadable": [{"path": printable(path), "reason": reason} for path, reason in self.unreadable],
            "metrics": self.metrics.to_dict(),
        }


def evaluate_model(model: Path, dataset: Path, output: Path | None, reporter: Reporter) -> Evaluation:
    """Classify the photos of a dataset and compare with its folders.

    Of a dataset with a test folder only that is measured. Of the dataset that the run was trained on, only the
    held-out photos that the final model has not learnt from are measured. Of any other dataset its validation folder is
    measured, or all photos where it has none.

    Args:
        model: a run folder, the model.keras in it, or an .onnx file.
        output: a new or empty folder for metrics.json and predictions.csv.

    Raises:
        PhototriageError: the model, the dataset or the output cannot be used, or no photo can be read.
    """
    if output is not None:
        check_output(output, dataset)
    classifier = open_classifier(model)
    found = find_dataset(dataset, classifier.labels)
    photos = _chosen(found, classifier, reporter)
    reporter.say(f"Measuring {len(photos)} photos on {classifier.device}.")
    with reporter.work("Classifying", len(photos)) as tick:
        answers: list[Any] = []
        unreadable: list[tuple[Path, str]] = []
        good: list[Photo] = []
        for batch, images, failures in _decoded(photos, classifier.geometry):
            unreadable += failures
            good += batch
            if batch:
                answers.append(classifier.classify(images))
            tick(len(batch) + len(failures))
    if not good:
        raise DatasetError(
            f"None of the {len(photos)} photos under {dataset} can be read. Check that a viewer can open them."
        )
    predictions = Predictions(tuple(good), np.concatenate(answers))
    metrics = compute_metrics(predictions.true, predictions.probabilities, found.labels)
    evaluation = Evaluation(model, found, metrics, predictions, tuple(unreadable))
    if output is not None:
        _write(evaluation, output)
    return evaluation


def _chosen(dataset: Dataset, classifier: Classifier, reporter: Reporter) -> tuple[Photo, ...]:
    """The photos to measure; prints one line about them."""
    own, run = None, classifier.run
    if run is not None and not dataset.of("test") and run.dataset.resolve() == dataset.root.resolve():
        own = read_predictions(run.path / PREDICTIONS, run.dataset, run.labels).of("val")
        if own.learnt is not None:
            return _never_learnt(own, run, dataset, reporter)
    for split, words in (("test", "test folder"), ("val", "validation folder")):
        if dataset.of(split):
            reporter.say(f"{dataset.sentence()} Only its {words} is measured.")
            return dataset.of(split)
    if run is not None and own is not None:  # an earlier version wrote the run
        if "judged" in run.manifest:
            raise DatasetError(_flattering(run, dataset))
        reporter.say(f"{dataset.sentence()} This run was trained on it, so only the held-out photos are measured.")
        return own.photos
    reporter.say(dataset.sentence())
    return dataset.photos


def _never_learnt(own: Predictions, run: Run, dataset: Dataset, reporter: Reporter) -> tuple[Photo, ...]:
    """The held-out photos of the run's own dataset that its final model has not learnt from."""
    never = own.never_learnt()
    if never is None or not never.photos:
        raise DatasetError(_flattering(run, dataset))
    reporter.say(
        f"{dataset.sentence()} This run was trained on it, so only the {len(never.photos)} held-out photos that its"
        " final model has not learnt from are measured."
    )
    return never.photos


def _flattering(run: Run, dataset: Dataset) -> str:
    return (
        f"{run.path} was trained on {dataset.root}, and in the end its head learnt from photos that judged, so"
        " measuring them again would flatter it. The figures in its run.json and report come from heads that had"
        " not seen them. Pass a folder of other photos."
    )


def _decoded(
    photos: Sequence[Photo], geometry: Geometry
) -> Iterator[tuple[list[Photo], NDArray[np.uint8], list[tuple[Path, str]]]]:
    """Yield batches of readable photos with their pixels, and the unreadable photos among them."""
    with ThreadPoolExecutor(len(os.sched_getaffinity(0)), "decode") as pool:
        for start in range(0, len(photos), BATCH):
            chunk = photos[start : start + BATCH]
            read = list(pool.map(lambda photo: _read(photo.path, geometry), chunk))
            good = [(photo, pixels) for photo, pixels in zip(chunk, read, strict=True) if not isinstance(pixels, str)]
            bad = [(photo.path, reason) for photo, reason in zip(chunk, read, strict=True) if isinstance(reason, str)]
            images = np.stack([pixels for _, pixels in good]) if good else np.empty((0,), np.uint8)
            yield [photo for photo, _ in good], images, bad


def _read(path: Path, geometry: Geometry) -> NDArray[np.uint8] | str:
    try:
        with turn_of(regular_file_status(path).st_size):
            return decode(path.read_bytes(), geometry)
    except PhotoError as error:
        return str(error)
    except OSError as error:
        return f"it could not be opened ({error.strerror})"


def _write(evaluation: Evaluation, output: Path) -> None:
    output.mkdir(parents=True, exist_ok=True)
    dataset = evaluation.dataset
    write_predictions(output / PREDICTIONS, evaluation.predictions, dataset.root, dataset.labels)
    text = json.dumps(evaluation.to_dict(), indent=2, ensure_ascii=False) + "\n"
    publish_bytes(output / METRICS, text.encode("utf-8", "surrogateescape"))
