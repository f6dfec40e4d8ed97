"""Measure a run or a model file on labelled photos, with or without TensorFlow."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from common.publish import publish_bytes
from common.text import printable
from contract.labels import OTHER
from training.dataset.foreign import ForeignPictures, find_foreign
from training.dataset.layout import Dataset, Photo, find_dataset
from training.errors import DatasetError
from training.measure.answered import Answered, answer
from training.measure.foreign import Chosen, Foreign, Review, measure_kinds, measure_review, ranking, sure, unfamiliar
from training.measure.metrics import Metrics, compute_metrics
from training.measure.open_model import Classifier, open_classifier
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
        review: photos that go to review as unfamiliar; None for a model that cannot tell.
        foreign: what becomes of foreign pictures; None without any.
    """

    model: Path
    dataset: Dataset
    metrics: Metrics
    predictions: Predictions
    unreadable: tuple[tuple[Path, str], ...]
    review: Review | None = None
    foreign: Foreign | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "model": printable(self.model),
            "dataset": printable(self.dataset.root.absolute()),
            "labels": list(self.dataset.labels),
            "unreadable": [{"path": printable(path), "reason": reason} for path, reason in self.unreadable],
            "metrics": self.metrics.to_dict(),
            "unfamiliar": None if self.review is None else self.review.to_dict(),
            "foreign": None if self.foreign is None else self.foreign.to_dict(),
        }


def evaluate_model(
    model: Path, dataset: Path, output: Path | None, reporter: Reporter, foreign: Path | None = None
) -> Evaluation:
    """Classify the photos of a dataset and compare with its folders.

    Of a dataset with a test folder only that is measured. Of the dataset that the run was trained on, only the
    held-out photos that the final model has not learnt from are measured. Of any other dataset its validation folder is
    measured, or all photos where it has none.

    Args:
        model: a run folder, the model.keras in it, or an .onnx file.
        output: a new or empty folder for metrics.json and predictions.csv.
        foreign: a folder of pictures that belong to no class.

    Raises:
        PhototriageError: the model, a folder or the output cannot be used, or no photo can be read.
    """
    if output is not None:
        check_output(output, dataset)
    classifier = open_classifier(model)
    found = find_dataset(dataset, classifier.labels)
    pictures = None if foreign is None else find_foreign(foreign, dataset)
    photos = _chosen(found, classifier, reporter)
    reporter.say(f"Measuring {len(photos)} photos on {classifier.device}.")
    answered = answer(photos, classifier, reporter, dataset)
    predictions = Predictions(answered.photos, answered.given.probabilities)
    strangers = None
    if pictures is not None:
        asked = answer(pictures.photos, classifier, reporter, pictures.root)
        strangers = _foreign(pictures, asked, answered, classifier)
    evaluation = Evaluation(
        model,
        found,
        compute_metrics(predictions.true, predictions.probabilities, found.labels),
        predictions,
        answered.unreadable,
        _review(answered, classifier),
        strangers,
    )
    if output is not None:
        _write(evaluation, output)
    return evaluation


def _review(answered: Answered, classifier: Classifier) -> Review | None:
    """Count the photos of the classes that go to review as unfamiliar; those of `_other` should."""
    sent = unfamiliar(answered.given, classifier.labels, classifier.familiarity)
    own = _of_classes(answered, classifier)
    if sent is None or not own.any():
        return None
    return measure_review(sent[own], answered.labels[own], classifier.labels, classifier.familiarity)


def _foreign(pictures: ForeignPictures, asked: Answered, answered: Answered, classifier: Classifier) -> Foreign:
    """Measure what becomes of foreign pictures, beside the photos of the classes."""
    sent = unfamiliar(asked.given, classifier.labels, classifier.familiarity)
    passed = np.ones(len(asked.photos), bool) if sent is None else ~sent
    every, kinds = measure_kinds(
        passed, sure(asked.given.probabilities, classifier.thresholds), asked.labels, pictures.kinds
    )
    auroc = None
    if answered.given.familiarity is not None and asked.given.familiarity is not None:
        own = answered.given.familiarity[_of_classes(answered, classifier)]
        auroc = ranking(own, asked.given.familiarity)
    unreadable = (*pictures.unlisted, *asked.unreadable)
    return Foreign(pictures.root, every, kinds, sent is not None, auroc, unreadable)


def _of_classes(answered: Answered, classifier: Classifier) -> Chosen:
    return np.array([classifier.labels[label] != OTHER for label in answered.labels], bool)


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


def _write(evaluation: Evaluation, output: Path) -> None:
    output.mkdir(parents=True, exist_ok=True)
    dataset = evaluation.dataset
    write_predictions(output / PREDICTIONS, evaluation.predictions, dataset.root, dataset.labels)
    text = json.dumps(evaluation.to_dict(), indent=2, ensure_ascii=False) + "\n"
    publish_bytes(output / METRICS, text.encode("utf-8", "surrogateescape"))
