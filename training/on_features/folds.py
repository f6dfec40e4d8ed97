"""Judge fine-tuning where photos are few: by cross-validation, so that all of them judge and all of them teach."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from training.dataset.prepare import PreparedData
from training.fit.epoch import HEAD, Epoch
from training.fit.regression import GRID, fit_head, folds
from training.measure.metrics import log_loss, softmax
from training.on_features.candidate import Candidate, rows_of
from training.on_features.sides import TUNING_FOLDS, Ints, Sides
from training.on_features.tail_training import Lesson, TailTraining
from training.progress import Reporter


def cross_validated(
    training: TailTraining, prepared: PreparedData, broad: NDArray[np.float32], sides: Sides, c: float
) -> Candidate:
    """Fine-tune TUNING_FOLDS times without a part of the photos, and answer that part.

    Args:
        broad: broad features of all samples.
        c: of the head on broad features, from which each fine-tuning starts.

    Returns:
        A candidate with honest answers to the training photos, and no features of its own yet.

    Raises:
        KeyboardInterrupt: Ctrl-C stopped one of the trainings.
    """
    given = {each: np.zeros((len(sides.train), sides.classes), np.float32) for each in GRID}
    quiet = replace(training, reporter=Reporter(Console(quiet=True)))
    labels, groups = sides.labels[sides.train], sides.groups[sides.train]
    with training.reporter.work("Judging fine-tuning", len(sides.train)) as tick:
        for learnt, held in folds(labels, groups, TUNING_FOLDS):
            for each, logits in _answers(quiet, prepared, broad, sides, (learnt, held), c):
                given[each][held] = logits
            tick(len(held))
    best = min(GRID, key=lambda each: log_loss(labels, softmax(given[each])))
    return Candidate((), best, given[best])


def _answers(
    training: TailTraining,
    prepared: PreparedData,
    broad: NDArray[np.float32],
    sides: Sides,
    fold: tuple[Ints, Ints],
    c: float,
) -> list[tuple[float, NDArray[np.float32]]]:
    """Logits of the held photos for each C."""
    learnt, held = (sides.train[places] for places in fold)
    start = fit_head(rows_of([broad], learnt), sides.labels[learnt], sides.classes, c)
    judges = prepared.samples.take(held)
    known = {prepared.samples.photos[number] for number in learnt}
    learning = prepared.learning.take(  # a photo may have been removed before it was decoded to this size
        [place for place, photo in enumerate(prepared.learning.photos) if photo in known]
    )
    lesson = Lesson(learning, judges, start, replace(Epoch.zero(HEAD), best=True))
    _, interrupted = training.train(lesson)
    if interrupted:
        raise KeyboardInterrupt
    task = np.zeros((len(sides.labels), broad.shape[1]), np.float32)
    for numbers in (learnt, held):
        values = np.zeros((len(numbers), broad.shape[1]), np.float32)
        training.features(prepared.samples.take(numbers), values, lambda _: None)
        task[numbers] = values
    rows, judged = rows_of([task, broad], learnt), rows_of([task, broad], held)
    labels = sides.labels[learnt]
    return [(each, fit_head(rows, labels, sides.classes, each).logits(judged)) for each in GRID]
